package canary

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Paths scans files, and folders with everything below them: names and contents.
// Symbolic links are not followed; sockets, pipes and devices have no content.
// Files and folders in skip, by the path they are reached by, are left out. The
// error is that of ctx; what cannot be read is in the report.
func (s *Scanner) Paths(ctx context.Context, paths, skip []string) (Report, error) {
	var r Report
	for _, root := range paths {
		if real, err := filepath.EvalSymlinks(root); err == nil && !slices.Contains(skip, root) {
			root = real // a root is meant, also when it is a link
		}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if slices.Contains(skip, path) {
				if d != nil && d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
			if err != nil {
				r.Incomplete = append(r.Incomplete, err.Error())
				return nil
			}
			s.name(&r, path)
			if !d.Type().IsRegular() {
				return nil
			}
			return s.file(ctx, &r, path)
		})
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// name scans the last part of a path.
func (s *Scanner) name(r *Report, path string) {
	budget := int64(0)
	in := &scan{s, r, &budget}
	in.stream(source{path: filepath.Dir(path), inside: "the name of a file"}, 0).feed([]byte(filepath.Base(path)))
}

// file scans one file.
func (s *Scanner) file(ctx context.Context, r *Report, path string) error {
	f, err := os.Open(path)
	if err != nil {
		r.Incomplete = append(r.Incomplete, err.Error())
		return nil
	}
	defer f.Close()
	budget := int64(maxBudget)
	in := &scan{s, r, &budget}
	r.Files++
	err = in.deep(ctx, source{f, path, "", -1}, 1)
	if err == nil {
		err = in.joints(ctx, path)
	}
	if err != nil && ctx.Err() == nil {
		r.Incomplete = append(r.Incomplete, fmt.Sprintf("%s: %v", path, err))
		return nil
	}
	return err
}
