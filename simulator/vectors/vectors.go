// Package vectors runs test vectors of the format in testvectors/README.md
// against the libraries of the project, from any file.
//
// An operation is a function from the inputs of a case to its results. The
// table of all operations is in ops.go; each family of operations has a file
// ops_<family>.go. What a case asks of an operation that is not in the table is
// counted as skipped, never as passed.
package vectors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"tallystick.example/testvectors"
)

// An Input is the in of a case. Its methods stop the operation when a key is
// missing or of another type, and the case then fails.
type Input = testvectors.Input

// An Op computes the results of a case. It returns bytes as []byte, numbers as
// integers, and an error where the input must be rejected. It keeps and changes
// nothing of in, and may run many times at once.
type Op func(in Input) (map[string]any, error)

// A Beginning is a text result of which a case may state only the first
// characters, since a part of the real one is random.
type Beginning string

// Options change what Run does.
type Options struct {
	// Answers receives one JSON line for every case that states no result:
	// {"id","out"} or {"id","reject":true}. Where it is nil, such cases are
	// skipped.
	Answers io.Writer
	// Ops replaces the table of operations; nil is the table of this package.
	Ops map[string]Op
}

// Run runs the cases of all paths: files, and folders with the .json files in
// and below them. No path means the embedded topics. What cannot be read or
// breaks the schema is a failure in the report; an error is returned only when
// ctx ends or the answers cannot be written.
func Run(ctx context.Context, paths []string, o Options) (Report, error) {
	files, failures := load(paths)
	r := newReport()
	for _, f := range failures {
		r.fail(f)
	}
	ops := o.Ops
	if ops == nil {
		ops = allOps()
	}
	for _, f := range files {
		r.Files = append(r.Files, f.path)
		for _, c := range f.file.Cases {
			if err := context.Cause(ctx); err != nil {
				return r, fmt.Errorf("running %s: %w", f.path, err)
			}
			if err := r.run(f.path, c, ops[c.Op], o.Answers); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// run runs one case and counts it.
func (r *Report) run(path string, c testvectors.Case, op Op, answers io.Writer) error {
	if op == nil || c.Asks() && answers == nil {
		r.skip(c.Op, op != nil)
		return nil
	}
	out, beginnings, err := call(op, c.In)
	if broken, ok := errors.AsType[*brokenError](err); ok {
		r.fail(Failure{File: path, ID: c.ID, Op: c.Op, Why: broken.why})
		return nil
	}
	if c.Asks() {
		r.answered(c.Op)
		return writeAnswer(answers, c.ID, out, err)
	}
	if why := judge(c, out, beginnings, err); why != "" {
		r.fail(Failure{File: path, ID: c.ID, Op: c.Op, Why: why})
		return nil
	}
	r.pass(c.Op)
	return nil
}

// judge tells why the result of an operation is not that of the case, or
// nothing.
func judge(c testvectors.Case, out map[string]any, beginnings map[string]string, err error) string {
	if c.Reject {
		if err == nil {
			return "accepted, must be rejected"
		}
		return ""
	}
	if err != nil {
		return "rejected: " + err.Error()
	}
	for _, key := range testvectors.Input(c.Out).Keys() {
		got, ok := out[key]
		if !ok {
			return fmt.Sprintf("%s is missing in the result", key)
		}
		want := c.Out[key]
		if text, ok := want.(string); ok && text != "" && strings.HasPrefix(beginnings[key], text) {
			continue
		}
		if !testvectors.Equal(want, got) {
			return fmt.Sprintf("%s is %s, must be %s", key, show(got), show(want))
		}
	}
	return ""
}

// brokenError tells that an operation did not come to a result: neither out nor
// reject can be said of the case.
type brokenError struct{ why string }

func (e *brokenError) Error() string { return e.why }

// call runs an operation and brings its results into the form of a case;
// beginnings has those of type Beginning. A panic is a fault of the operation or,
// as an InputError, of the case; neither is a rejection.
func call(op Op, in Input) (out map[string]any, beginnings map[string]string, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *testvectors.InputError:
			out, err = nil, p
			if !p.Content {
				err = &brokenError{p.Error()}
			}
		default:
			out, err = nil, &brokenError{fmt.Sprintf("panic: %v at %s", p, origin(debug.Stack()))}
		}
	}()
	result, err := op(in)
	if err != nil {
		return nil, nil, err
	}
	normal, err := testvectors.Normal(result)
	if err != nil {
		return nil, nil, &brokenError{err.Error()}
	}
	out, ok := normal.(map[string]any)
	if !ok {
		return nil, nil, &brokenError{"the operation gave no result"}
	}
	beginnings = make(map[string]string)
	for key, v := range result {
		if b, ok := v.(Beginning); ok {
			beginnings[key] = string(b)
		}
	}
	return out, beginnings, nil
}

// Operations are the names of all operations in alphabetical order.
func Operations() []string {
	var names []string
	for name := range allOps() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
