package sweep_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tallystick.example/simulator/sweep"
)

// build makes the three programs.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command("go", "build", "-o", dir, "../../agent", "../../host", "../../simulator")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return dir
}

// TestPlantedMistakesAreFound sweeps sound programs, which must pass, and the
// same cases with a mistake planted, which must not.
func TestPlantedMistakesAreFound(t *testing.T) {
	bin := build(t)
	for name, o := range map[string]sweep.Options{
		"power cuts of the agent":      {Target: sweep.Agent, What: sweep.Power, Images: 6, Plant: sweep.NoSync},
		"power cuts of the host":       {Target: sweep.Host, What: sweep.Power, Images: 10, Plant: sweep.NoSync},
		"kills of the agent, sending":  {Target: sweep.Agent, What: sweep.Kill, Event: "send to host 1.1", Plant: sweep.SendFirst},
		"kills of the agent, learning": {Target: sweep.Agent, What: sweep.Kill, Event: "receive from host 1.1", Plant: sweep.SendFirst},
	} {
		t.Run(name, func(t *testing.T) {
			o.Bin, o.Seed, o.Image = bin, 1, -1
			bad := run(t, o)
			if bad.OK || len(bad.Findings) == 0 {
				t.Errorf("%s went unnoticed: %+v", o.Plant, bad)
			}
			o.Plant = sweep.NoPlant
			if good := run(t, o); !good.OK {
				t.Errorf("without a mistake: %+v", good)
			}
		})
	}
}

// run sweeps in a folder whose path leaves room for Unix sockets.
func run(t *testing.T, o sweep.Options) sweep.Report {
	t.Helper()
	dir, err := os.MkdirTemp("", "sw")
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = filepath.Join(dir, "l")
	r, err := sweep.Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v; the logs are in %s", err, o.Dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "attempts") {
		t.Errorf("the report: %q, %v", text.String(), err)
	}
	return r
}

// TestEveryDiskEventOfTheAgentFails refuses every disk operation of a sale, with
// either error.
func TestEveryDiskEventOfTheAgentFails(t *testing.T) {
	r := run(t, sweep.Options{Bin: build(t), Target: sweep.Agent, What: sweep.Error, Seed: 1, Image: -1})
	if !r.OK || r.Cases < 40 || r.Outcomes["approved"] == 0 || r.Outcomes["cancelled"] == 0 || r.Outcomes["reversed"] == 0 {
		t.Errorf("%+v", r)
	}
}

func TestRefusesNonsense(t *testing.T) {
	for name, o := range map[string]sweep.Options{
		"target": {Target: "till", What: sweep.Kill},
		"what":   {Target: sweep.Agent, What: "burn"},
		"edge":   {Target: sweep.Agent, What: sweep.Kill, Edge: "sharp"},
		"plant":  {Target: sweep.Host, What: sweep.Kill, Plant: sweep.SendFirst},
	} {
		if _, err := sweep.Run(t.Context(), o); err == nil {
			t.Errorf("a wrong %s was accepted", name)
		}
	}
}
