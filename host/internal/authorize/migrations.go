package authorize

import (
	"embed"
	"io/fs"

	"tallystick.example/host/internal/store"
)

//go:embed sql/*.sql
var migrations embed.FS

// Migrations are the tables of transactions and of the outbox to issuers.
func Migrations() store.Set {
	sub, err := fs.Sub(migrations, "sql")
	if err != nil {
		panic("authorize: the embedded migrations are missing") // a fault of the build
	}
	return store.Set{Name: "authorize", FS: sub}
}
