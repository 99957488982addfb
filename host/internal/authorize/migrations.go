package authorize

import (
	"embed"

	"tallystick.example/host/internal/store"
)

//go:embed sql/*.sql
var migrations embed.FS

// Migrations are the tables of transactions and of the outbox to issuers.
func Migrations() store.Set { return store.Sub("authorize", migrations, "sql") }
