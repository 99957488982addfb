package arch

// module is the path of this module.
const module = "tallystick.example"

// mayImport lists, for the longest matching folder, which folders of this module
// its non-test files may import. What lies under the same rule may import each other.
var mayImport = map[string][]string{
	// Pure libraries: outsiders import them, so nothing of the programs may leak in.
	"iso8583":       {"iso8583", "internal/pure"},
	"iso8583/codec": {"iso8583/codec"}, // any dialect: it knows nothing of our own interface
	"emv":           {"emv", "internal/pure"},
	"dukpt":         {"dukpt", "internal/pure"},
	"internal/pure": {"internal/pure"},
	"testvectors":   {"testvectors"},

	// Shared ground.
	"internal":             {"internal"},
	"internal/framed":      {"internal", "iso8583"},
	"internal/reader":      {"internal/reader", "internal/pure"},
	"internal/hsm":         {"internal/hsm", "internal/pure", "iso8583", "emv", "dukpt"},
	"internal/hsm/api":     {"internal/pure"},
	"internal/hsm/wire":    {"internal/hsm/api", "internal/pure"},
	"internal/hsm/hsmtest": {"internal/hsm/api", "internal/pure", "iso8583", "emv", "dukpt"},

	// The programs meet on the wire.
	"agent":     {"agent", "iso8583", "emv", "dukpt", "internal"},
	"host":      {"host", "iso8583", "emv", "dukpt", "internal"},
	"simulator": {"simulator", "iso8583", "emv", "dukpt", "internal", "testvectors"},

	// Inside the host: gateway → authorize → {issuer, score, ledger, token} → store.
	"host/internal/store":     {"internal"},
	"host/internal/audit":     {"host/internal/store", "internal"},
	"host/internal/ledger":    {"host/internal/store", "internal"},
	"host/internal/token":     {"host/internal/store", "internal"},
	"host/internal/terminals": {"host/internal/store", "internal"},
	"host/internal/score":     {"host/internal/store", "internal"},
	"host/internal/issuer":    {"host/internal/store", "internal"},
	"host/internal/authorize": {
		"host/internal/issuer", "host/internal/score", "host/internal/ledger", "host/internal/token",
		"host/internal/terminals", "host/internal/audit", "host/internal/store", "iso8583", "internal",
	},
}

// A ban forbids an import to everybody but some, whatever mayImport says.
type ban struct {
	path   string   // module or standard path; with everything below it
	except []string // folders that may
	reason string
}

var bans = []ban{
	{"github.com/moov-io/iso8583", []string{"iso8583"}, "one codec: iso8583/codec compiles its specifications, others use programs and messages"},
	{"github.com/moov-io/bertlv", []string{"emv"}, "it panics on hostile lengths; one guarded place"},
	{"go.bug.st/serial", []string{"agent/internal/device", "simulator/reader"}, "its traps are wrapped once"},
	{module + "/internal/hsm/core", []string{"internal/hsm/soft", "simulator/hsm"}, "clear keys and PINs live inside an HSM only"},
	{module + "/internal/hsm/soft", []string{"host/internal/boundary/server"}, "only the boundary process opens the LMK"},
	{module + "/internal/hsm/payshield", []string{"host/internal/boundary/server"}, "the driver lies inside the boundary"},
	{module + "/internal/hsm", []string{"internal/hsm", "host", "simulator/hsm"}, "a terminal has no HSM interface"},
	{module + "/host/internal/gateway", []string{"host/app"}, "the gateway is an edge"},
	{module + "/host/internal/boundary", []string{"host/internal/boundary", "host/app"}, "the boundary is reached through its interface"},
	{"github.com/sirupsen/logrus", []string{"agent", "host", "simulator", "internal"}, "libraries do not log"},
	{"testing", nil, "no program links testing"},
}

// pure lists folders whose non-test files may not import the packages of
// impure, with the reason: their callers own I/O, clock and environment.
var (
	pure   = []string{"iso8583", "emv", "dukpt", "internal/pure"}
	impure = []string{"net", "os", "log", "time/tzdata", "syscall", "path/filepath", "io/ioutil", "golang.org/x/sys", "crypto/tls", "runtime"}
)

// allowedIn exempts folders that hold a generator or a helper for tests.
var allowedIn = []string{"testvectors/vectortest", "iso8583/internal/gendoc", "internal/hsm/hsmtest", "dukpt/oracletest", "host/internal/store/storetest"}
