package app

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tallystick.example/host/internal/authorize"
	"tallystick.example/internal/cli"
	"tallystick.example/internal/version"
)

// noArgs are the arguments of an operation that has none.
type noArgs struct{}

// retryResult is how many reversals go out again.
type retryResult struct {
	Retried int64 `json:"retried"`
}

func retryOutbox(ctx context.Context, n *node, _ noArgs) (retryResult, error) {
	done, err := n.engine.Retry(ctx, actor(ctx))
	if err != nil {
		return retryResult{}, classified("the outbox cannot be changed", err)
	}
	return retryResult{done}, nil
}

// statusResult is what a running host says of itself.
type statusResult struct {
	Node    string           `json:"node"`
	PID     int              `json:"pid"`
	Version string           `json:"version"`
	Mode    string           `json:"mode"`
	Health  authorize.Health `json:"health"`
	Store   map[string]int64 `json:"store"`
}

func status(ctx context.Context, n *node, _ noArgs) (statusResult, error) {
	h, err := authorize.Look(ctx, n.books)
	if err != nil {
		return statusResult{}, classified("the state cannot be read", err)
	}
	s := n.books.Stats()
	return statusResult{Node: n.cfg.Node, PID: os.Getpid(), Version: version.Number, Mode: string(n.cfg.Mode), Health: h,
		Store: map[string]int64{"batches": s.Batches, "items": s.Items, "reruns": s.Reruns, "splits": s.Splits, "waiting": int64(s.Waiting)}}, nil
}

func outboxCommand(logs io.Writer) *cobra.Command {
	c := &cobra.Command{Use: "outbox", Short: "Reversals that are owed to issuers"}
	c.AddCommand(&cobra.Command{
		Use: "retry", Short: "Offer stuck reversals to their issuers again", Args: cobra.NoArgs,
		Long: `retry puts reversals that no issuer took in outbox_tries offers back into the
queue. host doctor shows how many there are.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r retryResult
			if err := do(cmd, logs, "outbox.retry", noArgs{}, &r); err != nil {
				return err
			}
			return cli.Print(cmd, r, fmt.Sprintf("%d reversals go out again", r.Retried))
		},
	})
	return c
}
