//go:build unix

package sandbox_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A canary set is what one attempt is aimed at.
type canaries struct {
	area   *area
	secret string // in every file, and in the environment of the sibling
	dir    string // must stay as it is
	before string
	// missing must not appear. It is in dir.
	missing string
	tcp     *trap
	unix    *trap
	udp     *net.UDPConn
	udpGot  chan string
	sibling *exec.Cmd
	// tag is what a program writes to the area's leaked pipe.
	tag string
}

func randomSecret() string { return "canary" + strings.ToLower(rand.Text()) }

// watchSignals records the signals that programs send to this process. Both are
// harmless to it.
func (a *area) watchSignals(t *testing.T) {
	got := make(chan os.Signal, 16)
	signal.Notify(got, syscall.SIGUSR1, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range got {
			a.signals.Add(1)
		}
	}()
	t.Cleanup(func() {
		signal.Stop(got)
		close(got)
		<-done
	})
}

func (a *area) plant(t *testing.T) *canaries {
	t.Helper()
	dir, err := os.MkdirTemp(a.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	c := &canaries{area: a, secret: randomSecret(), dir: filepath.Join(dir, "outside"), tag: "tag" + rand.Text()}
	c.missing = filepath.Join(c.dir, "missing.txt")
	if err := os.MkdirAll(filepath.Join(c.dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"secret.txt":   c.secret + " is not JavaScript\n",
		"secret.json":  `{"secret": "` + c.secret + `"}`,
		"secret.js":    `export const secret = "` + c.secret + `"; export default secret;`,
		"secret.cjs":   `module.exports = "` + c.secret + `";`,
		"secret.ts":    c.secret + " is not TypeScript\n",
		"secret.env":   "SECRET=" + c.secret + "\n",
		"package.json": `{"name": "secret", "description": "` + c.secret + `"}`,
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.before = snapshot(c.dir)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.tcp = watch(t, listener)
	listener, err = net.Listen("unix", filepath.Join(a.sockets, strconv.FormatInt(a.planted.Add(1), 10)))
	if err != nil {
		t.Fatal(err)
	}
	c.unix = watch(t, listener)
	c.udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.udp.Close() })
	c.udpGot = make(chan string, 64)
	go func() {
		defer close(c.udpGot)
		buf := make([]byte, 2048)
		for {
			n, _, err := c.udp.ReadFrom(buf)
			if err != nil {
				return
			}
			select {
			case c.udpGot <- string(buf[:n]):
			default:
			}
		}
	}()

	c.sibling = exec.Command("sleep", "600")
	c.sibling.Env = []string{"SIBLING_SECRET=" + c.secret}
	if err := c.sibling.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.sibling.Process.Kill()
		_ = c.sibling.Wait()
	})
	return c
}

// targets are what the programs know of the canaries.
func (c *canaries) targets() map[string]any {
	return map[string]any{
		"dir":        c.dir,
		"secretFile": filepath.Join(c.dir, "secret.txt"),
		"secretJson": filepath.Join(c.dir, "secret.json"),
		"secretJs":   filepath.Join(c.dir, "secret.js"),
		"secretTs":   filepath.Join(c.dir, "secret.ts"),
		"secretCjs":  filepath.Join(c.dir, "secret.cjs"),
		"secretEnv":  filepath.Join(c.dir, "secret.env"),
		"missing":    c.missing,
		"port":       c.tcp.listener.Addr().(*net.TCPAddr).Port,
		"url":        "http://" + c.tcp.listener.Addr().String() + "/",
		"udpPort":    c.udp.LocalAddr().(*net.UDPAddr).Port,
		"socket":     c.unix.listener.Addr().String(),
		"sibling":    c.sibling.Process.Pid,
		"parent":     os.Getpid(),
		"inherited":  c.area.leaked.inherited,
		"tag":        c.tag,
		"envName":    envName,
	}
}

// fill puts targets in place of {{name}}, for where only a literal can stand.
func (c *canaries) fill(code string) string {
	var pairs []string
	for name, value := range c.targets() {
		pairs = append(pairs, "{{"+name+"}}", fmt.Sprint(value))
	}
	pairs = append(pairs, "{{stolen}}", stolen)
	return strings.NewReplacer(pairs...).Replace(code)
}

// stolen lets a program speak for the harness: it watches the buffers that the
// harness makes for a frame, of which the first 16 bytes are the marker.
const stolen = `
async function stolen() {
  const Real = Uint8Array, made: any[] = [];
  (globalThis as any).Uint8Array = new Proxy(Real, { construct(target, args) { const b = new target(...args); made.push(b); return b; } });
  console.log("frame");
  globalThis.Uint8Array = Real;
  const marker = made.find((b) => b.length > 20)?.slice(0, 16);
  if (!marker) throw new Error("the marker is out of reach");
  return (json) => {
    const body = t.bytes(json), frame = new Real(20 + body.length);
    frame.set(marker);
    new DataView(frame.buffer).setUint32(16, body.length);
    frame.set(body, 20);
    return frame;
  };
}
async function write(bytes) { for (let n = 0; n < bytes.length;) n += Deno.stdout.writeSync(bytes.subarray(n)); }
`

// module is the text of ./targets.
func (c *canaries) module(previous json.RawMessage) string {
	var b strings.Builder
	for name, value := range c.targets() {
		text, _ := json.Marshal(value) // strings and numbers
		fmt.Fprintf(&b, "export const %s = %s;\n", name, text)
	}
	if previous == nil {
		previous = json.RawMessage("null")
	}
	text, _ := json.Marshal(string(previous))
	fmt.Fprintf(&b, "export const previous: any = JSON.parse(%s);\n", text)
	b.WriteString(`
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const denied = (what: unknown): string => "denied: " + String(what).slice(0, 300);
`)
	return b.String()
}

// proofIn says what in a text shows that an attempt worked.
func (c *canaries) proofIn(text string) string {
	switch {
	case strings.Contains(text, c.secret):
		return "the secret"
	case strings.Contains(text, os.Getenv(envName)):
		return "the secret of the environment"
	case strings.Contains(text, "ESCAPED: "):
		return "a claim of success"
	}
	return ""
}

// inspect ends the watch and says what happened to the canaries.
func (c *canaries) inspect(t *testing.T) []string {
	var harm []string
	if now := snapshot(c.dir); now != c.before {
		harm = append(harm, fmt.Sprintf("the folder has changed from\n%s to\n%s", c.before, now))
	}
	for _, trap := range []*trap{c.tcp, c.unix} {
		for _, contact := range trap.close(t) {
			harm = append(harm, fmt.Sprintf("%s was contacted: %.100q", trap.listener.Addr().Network(), contact))
		}
	}
	const fence = "fence"
	if conn, err := net.Dial("udp", c.udp.LocalAddr().String()); err != nil {
		t.Error(err)
	} else {
		_, _ = conn.Write([]byte(fence))
		for {
			got := <-c.udpGot
			if got == fence {
				break
			}
			harm = append(harm, fmt.Sprintf("udp was contacted: %.100q", got))
		}
		conn.Close()
	}
	if c.area.leaked.got(c.tag) {
		harm = append(harm, "a descriptor of the host was written to")
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(c.sibling.Process.Pid, &status, syscall.WNOHANG|syscall.WUNTRACED, nil); pid != 0 {
		harm = append(harm, fmt.Sprintf("the sibling process was signalled: status %#x, %v", status, err))
	}
	return harm
}

// snapshot describes a folder.
func snapshot(dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		links := ""
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			links = strconv.FormatUint(uint64(stat.Nlink), 10) + " " + strconv.Itoa(int(stat.Uid))
		}
		fmt.Fprintf(&b, "%s %s %d %s %s\n", strings.TrimPrefix(path, dir), info.Mode(), info.Size(), links, info.ModTime().Format(time.StampNano))
		return nil
	})
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}

// A trap records who connects to it, and answers like a web server with a module.
type trap struct {
	listener net.Listener
	handlers sync.WaitGroup

	mu       sync.Mutex
	contacts map[string]string // remote address and number → first bytes
	accepted chan string       // remote addresses
}

func watch(t *testing.T, listener net.Listener) *trap {
	w := &trap{listener: listener, contacts: map[string]string{}, accepted: make(chan string, 1024)}
	t.Cleanup(func() { listener.Close() })
	go func() {
		defer close(w.accepted)
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			remote := conn.RemoteAddr().String()
			key := fmt.Sprint(remote, "#", n)
			w.mu.Lock()
			w.contacts[key] = ""
			w.mu.Unlock()
			w.handlers.Go(func() { w.answer(conn, key) })
			select {
			case w.accepted <- remote:
			default:
			}
		}
	}()
	return w
}

func (w *trap) answer(conn net.Conn, key string) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 2048)
	n, _ := conn.Read(buf)
	w.mu.Lock()
	w.contacts[key] = string(buf[:n])
	w.mu.Unlock()
	_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: 17\r\nConnection: close\r\n\r\nexport default 1;"))
}

// close ends the watch and returns what came. Connections are accepted in their
// order, so that one of our own shows that all before it were seen.
func (w *trap) close(t *testing.T) []string {
	address := w.listener.Addr()
	dialer := net.Dialer{}
	if address.Network() == "unix" {
		// Gives the connection an address to be known by.
		dialer.LocalAddr = &net.UnixAddr{Name: address.String() + "f", Net: "unix"}
	}
	conn, err := dialer.Dial(address.Network(), address.String())
	if err != nil {
		return []string{"it does not accept any more: " + err.Error()}
	}
	own := conn.LocalAddr().String()
	for remote := range w.accepted {
		if remote == own {
			break
		}
	}
	conn.Close()
	w.listener.Close()
	w.handlers.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []string
	for key, first := range w.contacts {
		if !strings.HasPrefix(key, own+"#") {
			found = append(found, first)
		}
	}
	return found
}

// A leakedPipe has an end that every process inherits, as it happens to a host
// which is given sockets by systemd, or which uses C.
type leakedPipe struct {
	inherited int
	own       *os.File

	mu   sync.Mutex
	text string
}

func leakPipe(t *testing.T) *leakedPipe {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := &leakedPipe{own: w}
	if l.inherited, err = syscall.Dup(int(w.Fd())); err != nil { // not close-on-exec
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			if err != nil {
				return
			}
			l.mu.Lock()
			l.text += string(buf[:n])
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		w.Close()
		syscall.Close(l.inherited)
		r.Close()
		<-done
	})
	return l
}

// got tells whether a text was written to the pipe up to now.
func (l *leakedPipe) got(text string) bool {
	fence := "fence" + rand.Text()
	_, _ = l.own.WriteString(fence)
	for range 1000 {
		l.mu.Lock()
		all := l.text
		l.mu.Unlock()
		if strings.Contains(all, fence) {
			return strings.Contains(all, text)
		}
		time.Sleep(time.Millisecond)
	}
	return true // somebody has broken the pipe
}
