package xlog

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/sirupsen/logrus"
)

// maxFrames bounds the call stack that a recovered panic logs.
const maxFrames = 24

// Recover is deferred at the top of every goroutine. It stops a panic, logs its
// kind and the functions it passed through, never its value or arguments, and
// calls died, which may be nil.
func Recover(log logrus.FieldLogger, name string, died func()) {
	v := recover()
	if v == nil {
		return
	}
	log.WithFields(logrus.Fields{"goroutine": name, "kind": kind(v), "stack": stack()}).Error("a goroutine panicked")
	if died != nil {
		died()
	}
}

// kind names the type of a panic: a runtime error's text holds indexes and
// types only, any other value's may hold data.
func kind(v any) string {
	if e, ok := v.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", v)
}

func stack() string {
	pc := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(pc[:runtime.Callers(4, pc)])
	var b strings.Builder
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s:%d ", f.Function, f.Line)
		if !more {
			return strings.TrimSpace(b.String())
		}
	}
}
