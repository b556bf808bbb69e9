//go:build linux && (amd64 || arm64)

package jail_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/conductor/conductor/internal/jail"
)

// world is what the test tells the program about its surroundings.
type world struct {
	Write, Read, Outside, Sibling string // folders
	Program                       string // something executable
	TCP, UDP                      int    // ports of listeners
	Unix, Abstract                string // addresses of listeners
	Parent, Other                 int    // processes
	Threads                       []int  // of the parent
}

// An attempt is something that a program might try. It succeeds without a jail and
// fails if any of the layers holds.
type attempt struct {
	name string
	by   []jail.Layer // none: it must succeed
	try  func(w world) error
	// root says that only root can do it in the first place, and that of a container
	// not even that.
	root bool
}

func init() {
	roles["attempts"] = func() int {
		var w world
		if err := json.Unmarshal([]byte(os.Getenv("JAIL_TEST_WORLD")), &w); err != nil {
			panic(err)
		}
		found := map[string]string{}
		for _, a := range attempts {
			found[a.name] = ""
			if err := a.try(w); err != nil {
				found[a.name] = err.Error()
			}
		}
		_ = json.NewEncoder(os.Stdout).Encode(found)
		return 0
	}
	roles["guess"] = func() int {
		// A clone that claims to be the host's: whoever guesses wrong dies.
		unix.RawSyscall(unix.SYS_CLONE, 1<<32|unix.CLONE_VM|unix.CLONE_VFORK|uintptr(unix.SIGCHLD), 0, 0)
		return 0
	}
}

var (
	landlock = []jail.Layer{jail.Landlock}
	seccomp  = []jail.Layer{jail.Seccomp}
	either   = []jail.Layer{jail.Landlock, jail.Seccomp}
	network  = []jail.Layer{jail.Seccomp, jail.Netns}
)

var attempts = []attempt{
	{name: "read in Read", try: func(w world) error { return read(w.Read + "/file") }},
	{name: "list Read", try: func(w world) error { return list(w.Read) }},
	{name: "write in Read", by: landlock, try: func(w world) error { return write(w.Read + "/new") }},
	{name: "read in Write", try: func(w world) error { return read(w.Write + "/file") }},
	{name: "write in Write", try: func(w world) error { return write(w.Write + "/new") }},
	{name: "make, rename, link, truncate, remove in Write", try: func(w world) error {
		a, b := w.Write+"/d/a", w.Write+"/b"
		return errors.Join(os.Mkdir(w.Write+"/d", 0o700), write(a), os.Link(a, b), os.Rename(b, w.Write+"/d/c"),
			os.Truncate(a, 1), os.RemoveAll(w.Write+"/d"))
	}},
	{name: "list the root", by: landlock, try: func(w world) error { return list("/") }},
	{name: "list /proc", by: landlock, try: func(w world) error { return list("/proc") }},
	{name: "list outside", by: landlock, try: func(w world) error { return list(w.Outside) }},
	{name: "read /etc/passwd", by: landlock, try: func(w world) error { return read("/etc/passwd") }},
	{name: "read outside", by: landlock, try: func(w world) error { return read(w.Outside + "/file") }},
	{name: "read by ..", by: landlock, try: func(w world) error {
		return read(w.Write + "/../" + filepath.Base(w.Outside) + "/file")
	}},
	{name: "read by a link of one's own", by: landlock, try: func(w world) error {
		link := w.Write + "/link"
		defer os.Remove(link)
		return errors.Join(os.Symlink(w.Outside+"/file", link), read(link))
	}},
	{name: "write by a link that was there", by: landlock, try: func(w world) error { return write(w.Write + "/there/new") }},
	{name: "read in a folder with the same beginning", by: landlock, try: func(w world) error { return read(w.Sibling + "/file") }},
	{name: "write outside", by: landlock, try: func(w world) error { return write(w.Outside + "/new") }},
	{name: "append outside", by: landlock, try: func(w world) error {
		f, err := os.OpenFile(w.Outside+"/file", os.O_WRONLY|os.O_APPEND, 0)
		return errors.Join(err, f.Close())
	}},
	{name: "truncate outside", by: landlock, try: func(w world) error { return os.Truncate(w.Outside+"/file", 2) }},
	{name: "make a folder outside", by: landlock, try: func(w world) error { return makeAndRemove(w.Outside + "/dir") }},
	{name: "remove outside", by: landlock, try: func(w world) error { return os.Remove(w.Outside + "/spare") }},
	{name: "move in from outside", by: landlock, try: func(w world) error {
		return errors.Join(os.Rename(w.Outside+"/move", w.Write+"/moved"))
	}},
	{name: "link in from outside", by: landlock, try: func(w world) error { return os.Link(w.Outside+"/file", w.Write+"/linked") }},
	{name: "make a socket in Write", by: either, try: func(w world) error {
		l, err := net.Listen("unix", w.Write+"/sock")
		return closed(l, err)
	}},
	{name: "make a pipe in Write", by: landlock, try: func(w world) error { return unix.Mkfifo(w.Write+"/fifo", 0o600) }},
	{name: "make a device in Write", by: []jail.Layer{jail.Landlock, jail.Capabilities}, root: true, try: func(w world) error {
		return unix.Mknod(w.Write+"/mem", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 1)))
	}},
	{name: "change a mode outside", by: seccomp, try: func(w world) error { return os.Chmod(w.Outside+"/file", 0o600) }},
	{name: "change a time outside", by: seccomp, try: func(w world) error {
		return os.Chtimes(w.Outside+"/file", time.Now(), time.Now())
	}},
	{name: "change an owner outside", by: seccomp, try: func(w world) error {
		return os.Chown(w.Outside+"/file", os.Getuid(), os.Getgid())
	}},
	{name: "watch outside", by: seccomp, try: func(w world) error {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, err = unix.InotifyAddWatch(fd, w.Outside, unix.IN_CREATE)
		return err
	}},
	{name: "read memory of the parent's threads", by: landlock, try: func(w world) error {
		return anyThread(w, func(tid int) error {
			f, err := os.OpenFile(fmt.Sprintf("/proc/%d/task/%d/mem", w.Parent, tid), os.O_RDWR, 0)
			return errors.Join(err, f.Close())
		})
	}},
	{name: "execute another program", by: either, try: func(w world) error { return exec.Command(w.Program).Run() }},
	{name: "start itself again", by: seccomp, try: func(w world) error {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{roleEnv + "=exit"}
		return cmd.Run()
	}},
	{name: "execute a file without a name", by: seccomp, try: func(w world) error {
		fd, err := unix.MemfdCreate("x", 0)
		return errors.Join(err, unix.Close(fd))
	}},

	{name: "connect by TCP", by: append(network, jail.Landlock), try: func(w world) error {
		c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", w.TCP))
		return closed(c, err)
	}},
	// Landlock's rules are for plain TCP, and MPTCP falls back to that.
	{name: "connect by MPTCP", by: network, try: func(w world) error {
		var d net.Dialer
		d.SetMultipathTCP(true)
		c, err := d.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", w.TCP))
		return closed(c, err)
	}},
	{name: "listen by TCP", by: seccomp, try: func(w world) error {
		l, err := net.Listen("tcp4", "127.0.0.1:0") // MPTCP by default
		return closed(l, err)
	}},
	{name: "send by UDP", by: network, try: func(w world) error {
		c, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", w.UDP))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("x"))
		return err
	}},
	{name: "connect to a Unix socket", by: seccomp, try: func(w world) error {
		c, err := net.Dial("unix", w.Unix)
		return closed(c, err)
	}},
	{name: "connect to an abstract Unix socket", by: append(network, jail.Landlock), try: func(w world) error {
		c, err := net.Dial("unix", w.Abstract)
		return closed(c, err)
	}},
	{name: "turn a pair of sockets elsewhere", by: seccomp, try: func(w world) error {
		_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		return err
	}},
	{name: "talk over a pair of sockets", try: func(w world) error {
		_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return err
	}},
	{name: "ask the kernel by netlink", by: seccomp, try: func(w world) error {
		_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
		return err
	}},

	{name: "signal 0 to the parent", by: either, try: func(w world) error { return unix.Kill(w.Parent, 0) }},
	{name: "SIGTERM to the parent", by: either, try: func(w world) error { return unix.Kill(w.Parent, unix.SIGTERM) }},
	{name: "signal by thread", by: seccomp, try: func(w world) error {
		return anyThread(w, func(tid int) error {
			return first(unix.Tgkill(w.Parent, tid, 0), unix.Kill(tid, 0), errno(unix.SYS_TKILL, uintptr(tid), 0))
		})
	}},
	{name: "queue a signal", by: either, try: func(w world) error {
		info := [16]uint64{uint64(unix.SIGCONT), 0xffffffff} // si_code SI_QUEUE
		return errno(unix.SYS_RT_SIGQUEUEINFO, uintptr(w.Parent), uintptr(unix.SIGCONT), uintptr(unsafe.Pointer(&info)))
	}},
	{name: "signal by descriptor", by: either, try: func(w world) error {
		fd, err := unix.PidfdOpen(w.Parent, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
	}},
	{name: "have a signal sent by a file", by: seccomp, try: func(w world) error {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		_, err = unix.FcntlInt(uintptr(fds[0]), unix.F_SETOWN, w.Parent)
		return err
	}},
	{name: "read another's memory", by: either, try: func(w world) error {
		b := make([]byte, 8)
		local := []unix.Iovec{{Base: &b[0], Len: 8}}
		_, err := unix.ProcessVMReadv(w.Other, local, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&landlock)), Len: 8}}, 0)
		if err == unix.EFAULT { // it may look, only not there
			err = nil
		}
		return err
	}},
	{name: "limit another", by: seccomp, try: func(w world) error {
		var old unix.Rlimit
		if err := unix.Prlimit(w.Other, unix.RLIMIT_CORE, nil, &old); err != nil {
			return err
		}
		return unix.Prlimit(w.Other, unix.RLIMIT_CORE, &old, nil)
	}},
	{name: "slow another down", by: seccomp, try: func(w world) error { return unix.Setpriority(unix.PRIO_PROCESS, w.Other, 19) }},
	{name: "outlive the parent", by: seccomp, try: func(w world) error {
		// The thread's own order is left as it was by the plain run, which has none.
		return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0)
	}},

	{name: "shared memory of System V", by: seccomp, try: func(w world) error {
		id, err := unix.SysvShmGet(0, 4096, 0o600) // IPC_PRIVATE
		if err == nil {
			_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
		}
		return err
	}},
	{name: "personality", by: seccomp, try: func(w world) error { return errno(unix.SYS_PERSONALITY, 0xffffffff) }},
	{name: "clone3", by: seccomp, try: func(w world) error {
		err := errno(unix.SYS_CLONE3, 0, 0)
		if err == unix.EINVAL { // it is there
			err = nil
		}
		return err
	}},
	{name: "change the root", by: append(seccomp, jail.Capabilities), root: true, try: func(w world) error { return unix.Chroot("/") }},
	{name: "mount", by: []jail.Layer{jail.Landlock, jail.Seccomp, jail.Capabilities}, root: true, try: func(w world) error {
		err := unix.Mount("none", w.Write, "tmpfs", 0, "")
		if err == nil {
			err = unix.Unmount(w.Write, 0)
		}
		return err
	}},
	{name: "raise a limit", by: []jail.Layer{jail.Capabilities}, root: true, try: func(w world) error {
		var old unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old); err != nil {
			return err
		}
		return unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: old.Cur, Max: unix.RLIM_INFINITY})
	}},
	// The program ends soon after, and with it the trace.
	{name: "trace the parent's threads", by: seccomp, try: func(w world) error {
		runtime.LockOSThread()
		return anyThread(w, unix.PtraceSeize)
	}},
	{name: "SIGTERM to another", by: either, try: func(w world) error { return unix.Kill(w.Other, unix.SIGTERM) }},
}

// refusedEverywhere are calls that no plain run is asked for: kernels and
// containers differ too much in whether they have them.
var refusedEverywhere = map[string]uintptr{
	"unshare": unix.SYS_UNSHARE, "setns": unix.SYS_SETNS, "bpf": unix.SYS_BPF, "keyctl": unix.SYS_KEYCTL,
	"add_key": unix.SYS_ADD_KEY, "userfaultfd": unix.SYS_USERFAULTFD, "perf_event_open": unix.SYS_PERF_EVENT_OPEN,
	"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER, "pidfd_getfd": unix.SYS_PIDFD_GETFD,
	"open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "kexec_load": unix.SYS_KEXEC_LOAD, "init_module": unix.SYS_INIT_MODULE,
	"reboot": unix.SYS_REBOOT, "fsopen": unix.SYS_FSOPEN, "execveat": unix.SYS_EXECVEAT, "fanotify_init": unix.SYS_FANOTIFY_INIT,
	"mq_open": unix.SYS_MQ_OPEN, "semget": unix.SYS_SEMGET, "move_pages": unix.SYS_MOVE_PAGES, "kcmp": unix.SYS_KCMP,
}

func init() {
	roles["calls"] = func() int {
		found := map[string]string{}
		for name, nr := range refusedEverywhere {
			// The arguments are wrong: what passes the filter fails otherwise.
			found[name] = fmt.Sprint(errno(nr, ^uintptr(0), ^uintptr(0), ^uintptr(0)))
		}
		_ = json.NewEncoder(os.Stdout).Encode(found)
		return 0
	}
}

func errno(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, e := syscall.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
		return e
	}
	return nil
}

func read(path string) error  { _, err := os.ReadFile(path); return err }
func list(path string) error  { _, err := os.ReadDir(path); return err }
func write(path string) error { return os.WriteFile(path, []byte("text"), 0o600) }

func makeAndRemove(path string) error { return errors.Join(os.Mkdir(path, 0o700), os.Remove(path)) }

// first returns nil if one of the ways worked.
func first(errs ...error) error {
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	return errs[0]
}

// anyThread returns nil if the attempt works on one of the parent's threads.
func anyThread(w world, try func(tid int) error) (err error) {
	for _, tid := range w.Threads {
		if err = try(tid); err == nil {
			return nil
		}
	}
	return err
}

func closed(c io.Closer, err error) error {
	if err == nil {
		err = c.Close()
	}
	return err
}
