package score

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"tallystick.example/internal/conf"
)

// Max is the highest score.
const Max = 999

// Action is what a rule or a threshold asks for.
type Action string

// The actions, from harmless to final.
const (
	Approve Action = "approve"
	AskPIN  Action = "pin"     // decline with 1A; the terminal asks for a PIN and tries again
	Refer   Action = "refer"   // decline with 01; a person decides
	Decline Action = "decline" // decline with 05, filed as 59
)

var rank = map[Action]int{Approve: 0, AskPIN: 1, Refer: 2, Decline: 3}

// limits of a rule file.
const (
	maxRules = 500
	maxExpr  = 1000 // characters of one expression
	maxNodes = 200  // nodes of its syntax tree
)

// A Rule is one line of the operators' rules.
type Rule struct {
	// Name is unique in the file: 1 to 40 letters, digits, '-' or '_'.
	Name string `yaml:"name"`
	// When is the condition, an expression over the fields of Features.
	When string `yaml:"when"`
	// Weight is added to the score when the condition holds, 0 to 999.
	Weight int `yaml:"weight"`
	// Action is asked for at once when the condition holds, whatever the score:
	// pin, refer or decline. Empty asks for nothing.
	Action Action `yaml:"action"`
	// Reason is the code that explains the rule: 2 to 8 capital letters and digits.
	Reason string `yaml:"reason"`
}

// Thresholds turn a score into an action; 0 switches one off.
type Thresholds struct {
	PIN     int `yaml:"pin"`
	Refer   int `yaml:"refer"`
	Decline int `yaml:"decline"`
}

// File is a rule file.
type File struct {
	// Version names this state of the rules, 1 to 40 characters; it is stored
	// with each decision.
	Version    string     `yaml:"version"`
	Thresholds Thresholds `yaml:"thresholds"`
	Rules      []Rule     `yaml:"rules"`
}

// compiled is a rule with its program.
type compiled struct {
	Rule
	when *vm.Program
}

// Rules are checked and compiled rules. They do not change and may be used by
// many goroutines at once.
type Rules struct {
	version    string
	thresholds Thresholds
	rules      []compiled
}

var (
	nameForm    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
	reasonForm  = regexp.MustCompile(`^[A-Z0-9]{2,8}$`)
	versionForm = regexp.MustCompile(`^[A-Za-z0-9._ -]{1,40}$`)
)

// ParseRules reads a rule file: strict YAML (see conf.Parse). It returns every
// fault at once, each with the name of its rule.
func ParseRules(b []byte) (*Rules, error) {
	var f File
	if err := conf.Parse(b, &f); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return Compile(f)
}

// Compile checks and compiles f.
func Compile(f File) (*Rules, error) {
	var faults []error
	if !versionForm.MatchString(f.Version) {
		faults = append(faults, errors.New("rules: version is missing or not 1 to 40 letters, digits, '.', '_', '-' or blanks"))
	}
	for name, v := range map[string]int{"pin": f.Thresholds.PIN, "refer": f.Thresholds.Refer, "decline": f.Thresholds.Decline} {
		if v < 0 || v > Max {
			faults = append(faults, fmt.Errorf("rules: thresholds.%s is %d, want 0 to %d", name, v, Max))
		}
	}
	if len(f.Rules) > maxRules {
		faults = append(faults, fmt.Errorf("rules: there are %d, want at most %d", len(f.Rules), maxRules))
		return nil, errors.Join(faults...)
	}
	out := &Rules{version: f.Version, thresholds: f.Thresholds}
	seen := map[string]bool{}
	for _, r := range f.Rules {
		c, err := compile(r)
		if err == nil && seen[r.Name] {
			err = errors.New("the name is used twice")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("rule %q: %w", r.Name, err))
			continue
		}
		seen[r.Name] = true
		out.rules = append(out.rules, c)
	}
	return out, errors.Join(faults...)
}

func compile(r Rule) (compiled, error) {
	switch {
	case !nameForm.MatchString(r.Name):
		return compiled{}, errors.New("the name is not 1 to 40 letters, digits, '-' or '_'")
	case !reasonForm.MatchString(r.Reason):
		return compiled{}, errors.New("the reason is not 2 to 8 capital letters and digits")
	case r.Weight < 0 || r.Weight > Max:
		return compiled{}, fmt.Errorf("the weight is %d, want 0 to %d", r.Weight, Max)
	case r.Action != "" && rank[r.Action] == 0:
		return compiled{}, fmt.Errorf("the action is %q, want pin, refer, decline or nothing", r.Action)
	case r.Weight == 0 && r.Action == "":
		return compiled{}, errors.New("it has neither weight nor action, so it does nothing")
	case len(r.When) > maxExpr:
		return compiled{}, fmt.Errorf("the condition has %d characters, want at most %d", len(r.When), maxExpr)
	}
	var l loops
	p, err := expr.Compile(r.When, expr.Env(Features{}), expr.AsBool(), expr.MaxNodes(maxNodes), expr.Patch(&l),
		expr.DisableAllBuiltins(), expr.EnableBuiltin("abs"), expr.EnableBuiltin("max"), expr.EnableBuiltin("min"))
	if err != nil {
		return compiled{}, fmt.Errorf("the condition: %w", err)
	}
	if l.found {
		return compiled{}, errors.New("the condition uses a range or a function over elements, which is not allowed")
	}
	return compiled{Rule: r, when: p}, nil
}

// loops finds what can repeat work: without ranges and functions over elements,
// which cannot be switched off as the other built-in functions are, the cost of
// an expression is bounded by its size.
type loops struct{ found bool }

// Visit looks at one node of a syntax tree.
func (l *loops) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.PredicateNode:
		l.found = true
	case *ast.BinaryNode:
		l.found = l.found || n.Operator == ".."
	}
}

// Version is the version of the rule file.
func (r *Rules) Version() string { return r.version }
