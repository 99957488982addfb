package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var own embed.FS

// Sub is the Set of the migrations in folder dir of an embedded file system. It
// panics when there is no such folder: that is an error of the program.
func Sub(name string, fsys embed.FS, dir string) Set {
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		panic("store: migrations of " + name + ": " + err.Error())
	}
	return Set{Name: name, FS: sub}
}

// migrate brings every set to its newest version, the store's own first.
func migrate(ctx context.Context, e engine, db *sql.DB, sets []Set) error {
	seen := map[string]bool{}
	for _, set := range append([]Set{Sub("store", own, "migrations")}, sets...) {
		if seen[set.Name] {
			return fmt.Errorf("migration set %q is given twice", set.Name)
		}
		seen[set.Name] = true
		if err := migrateSet(ctx, e, db, set); err != nil {
			return fmt.Errorf("migrating %s: %w", set.Name, err)
		}
	}
	return nil
}

func migrateSet(ctx context.Context, e engine, db *sql.DB, set Set) error {
	if strings.Trim(set.Name, "abcdefghijklmnopqrstuvwxyz_") != "" || set.Name == "" || set.FS == nil {
		return errors.New("a set needs a name of lower-case letters and '_', and files")
	}
	exclude, err := otherEngine(e.name(), set.FS)
	if err != nil {
		return err
	}
	opts, err := e.providerOptions()
	if err != nil {
		return err
	}
	opts = append(opts, goose.WithTableName("schema_"+set.Name), goose.WithDisableGlobalRegistry(true),
		goose.WithExcludeNames(exclude), goose.WithLogger(goose.NopLogger()))
	p, err := goose.NewProvider(e.dialect(), db, set.FS, opts...)
	if err != nil {
		return fmt.Errorf("reading the files: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the version: %w", err)
	}
	if current > target {
		return fmt.Errorf("version %d, this release knows %d: %w", current, target, errNewerSchema)
	}
	return nil
}

// otherEngine lists the files of fsys that are for another engine than name. A
// file of one engine without its twin is an error, so that no engine can be
// forgotten.
func otherEngine(name string, fsys fs.FS) ([]string, error) {
	files, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("listing the files: %w", err)
	}
	var exclude []string
	twins := map[string]string{"sqlite": "postgres", "postgres": "sqlite"}
	for _, f := range files {
		for engine, twin := range twins {
			base, found := strings.CutSuffix(f, "."+engine+".sql")
			if !found {
				continue
			}
			if _, err := fs.Stat(fsys, base+"."+twin+".sql"); err != nil {
				return nil, fmt.Errorf("%s has no twin for %s", f, twin)
			}
			if engine != name {
				exclude = append(exclude, f)
			}
		}
	}
	return exclude, nil
}
