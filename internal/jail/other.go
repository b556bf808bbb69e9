//go:build !linux

package jail

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

func probe() Report {
	reason := fmt.Sprintf("%s has no such thing that this package can use", runtime.GOOS)
	var r Report
	for _, l := range []Layer{NoNewPrivs, Landlock, Capabilities, Seccomp, Netns, ParentDeath, ProcessGroup, Rlimits} {
		if l == ProcessGroup && groups {
			r.Layers = append(r.Layers, l)
		} else {
			r.Missing = append(r.Missing, Missing{l, reason})
		}
	}
	return r
}

func start(cmd *exec.Cmd, _ Policy) (*Process, error) {
	if cmd.SysProcAttr != nil {
		return nil, errors.New("jail: the command's SysProcAttr is not nil")
	}
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{Layers: probe().Layers, cmd: cmd}, nil
}

func runtimePolicy(string) (Policy, error) { return Policy{}, nil }

func limit(int, Limits) error {
	return fmt.Errorf("jail: limits of a running process on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func ended(*os.ProcessState, Limits) string { return "" }
