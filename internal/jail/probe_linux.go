package jail

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// probe tries each layer on a thread of its own: that the kernel takes the order
// proves little, so each has to refuse something that worked before.
var probe = sync.OnceValue(func() Report {
	warmUp()
	var r Report
	abi, threadSignals, err := landlockABI()
	if err == nil {
		r.LandlockABI, r.SignalScope = abi, abi >= 6 && threadSignals
	}
	for _, layer := range []struct {
		name Layer
		try  func() error
	}{
		{NoNewPrivs, tryNoNewPrivs},
		{Landlock, func() error { return tryLandlock(r, err) }},
		{Capabilities, tryCapabilities},
		{Seccomp, trySeccomp},
		{Netns, tryNetns},
		{ParentDeath, func() error { return nil }},  // as old as Linux 2.1
		{ProcessGroup, func() error { return nil }}, // as old as Unix
		{Rlimits, tryRlimits},
	} {
		result := make(chan error)
		onThread(func() { result <- layer.try() })
		if err := <-result; err != nil {
			r.Missing = append(r.Missing, Missing{layer.name, err.Error()})
		} else {
			r.Layers = append(r.Layers, layer.name)
		}
	}
	return r
})

var errHolds = errors.New("the kernel accepts it and it does not hold")

func tryNoNewPrivs() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || set != 1 {
		return errHolds
	}
	return nil
}

func tryLandlock(r Report, err error) error {
	switch err {
	case nil:
	case unix.ENOSYS:
		return errors.New("the kernel is older than 5.13, or was built without landlock, or a container hides it")
	case unix.EOPNOTSUPP:
		return errors.New("landlock is not among the kernel's active security modules (boot parameter lsm=)")
	default:
		return err
	}
	// Something to connect to, so that a refusal by the wall is not one for want of
	// a listener.
	listener, netErr := net.Listen("tcp4", "127.0.0.1:0")
	if netErr == nil {
		defer listener.Close()
	}
	ruleset, err := newRuleset(Policy{}, r)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	if err := tryNoNewPrivs(); err != nil {
		return err
	}
	if err := restrictSelf(ruleset); err != nil {
		return err
	}
	if fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != unix.EACCES {
		_ = unix.Close(fd)
		return errHolds
	}
	if netErr != nil || r.LandlockABI < 4 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil // there is no network to be kept from
	}
	defer unix.Close(fd)
	to := &unix.SockaddrInet4{Port: listener.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Connect(fd, to); err != unix.EACCES {
		return errHolds
	}
	return nil
}

func tryCapabilities() error {
	if err := tryNoNewPrivs(); err != nil {
		return err // without it an exec by root brings them all back
	}
	if err := dropCapabilities(false); err != nil {
		return err
	}
	// Where it is allowed it changes nothing.
	if err := unix.Chroot("/"); err != unix.EPERM {
		return errHolds
	}
	return nil
}

func trySeccomp() error {
	if err := tryNoNewPrivs(); err != nil {
		return err
	}
	if err := installFilter(newFilter(Policy{}, 1, false, unix.Getpid(), unix.Gettid())); err != nil {
		return err
	}
	if fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != unix.EPERM {
		_ = unix.Close(fd)
		return errHolds
	}
	// A fork would be refused for its flags, which are invalid in any case.
	_, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, unix.CLONE_SIGHAND, 0, 0, 0, 0, 0)
	if errno != unix.EPERM {
		return errHolds
	}
	return nil
}

// tryNetns starts a file that is not there: if the namespaces are refused the error
// is another. Nothing more is proved.
func tryNetns() error {
	cmd := &exec.Cmd{Path: "/proc/self/none", Args: []string{"none"}, Env: []string{}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET}
	switch err := cmd.Start(); {
	case err == nil:
		return errors.Join(errHolds, cmd.Process.Kill(), cmd.Wait())
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("user namespaces are not for ordinary processes here: %w", err)
	}
	return nil
}

func tryRlimits() error {
	var old unix.Rlimit
	if err := unix.Prlimit(unix.Getpid(), unix.RLIMIT_DATA, nil, &old); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	if !strings.Contains(string(status), "\nVmData:") {
		return errors.New("/proc/self/status has no VmData on " + runtime.GOOS + "/" + runtime.GOARCH)
	}
	return nil
}
