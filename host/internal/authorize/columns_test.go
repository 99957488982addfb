package authorize

import (
	"testing"

	"tallystick.example/host/internal/store/storetest"
)

func TestColumns(t *testing.T) { storetest.Columns(t, Migrations()) }
