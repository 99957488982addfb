package vectors

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tallystick.example/testvectors"
)

// maxFiles bounds how many files one run reads.
const maxFiles = 10_000

// loaded is a file of vectors and where it came from.
type loaded struct {
	path string
	file *testvectors.File
}

// load reads all paths; what it cannot read is in the failures. A file named
// twice is read once; an id used in two files is a failure.
func load(paths []string) ([]loaded, []Failure) {
	if len(paths) == 0 {
		return loadEmbedded()
	}
	var (
		files    []loaded
		failures []Failure
		seen     = make(map[string]bool)
		owner    = make(map[string]string)
	)
	for _, p := range paths {
		names, err := find(p)
		if err != nil {
			failures = append(failures, Failure{File: p, Why: err.Error()})
		}
		for _, name := range names {
			if id := identity(name); seen[id] {
				continue
			} else {
				seen[id] = true
			}
			f, err := read(name)
			if err != nil {
				failures = append(failures, Failure{File: name, Why: err.Error()})
				continue
			}
			for _, c := range f.Cases {
				if first, ok := owner[c.ID]; ok {
					failures = append(failures, Failure{File: name, ID: c.ID, Op: c.Op, Why: "the id is also used in " + first})
				}
				owner[c.ID] = name
			}
			files = append(files, loaded{name, f})
		}
	}
	return files, failures
}

func loadEmbedded() ([]loaded, []Failure) {
	all, err := testvectors.All()
	if err != nil {
		return nil, []Failure{{File: "embedded vectors", Why: err.Error()}}
	}
	files := make([]loaded, len(all))
	for i, f := range all {
		files[i] = loaded{f.Topic + ".json", f}
	}
	return files, nil
}

// identity is one text for all ways to write a path.
func identity(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// find returns path itself, or the .json files in and below the folder path in
// the order of their names.
func find(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var names []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && strings.HasSuffix(name, ".json") {
			names = append(names, name)
		}
		if len(names) > maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		return nil
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("the folder has no .json file")
	}
	return names, err
}

// read reads one file; a device or pipe is refused, since it may never end.
func read(path string) (*testvectors.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, testvectors.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return testvectors.Parse(data)
}
