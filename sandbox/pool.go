package sandbox

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// PoolStats count what the processes of a [Sandbox] do and did.
type PoolStats struct {
	// Waiting processes are booted and idle; Booting ones will be. They and the
	// counts below are sums over the profiles in use.
	Waiting, Booting int
	// Running is how many programs run now, Queued how many wait for their turn.
	Running, Queued int
	// Warm and Cold count the runs that found a waiting process, and that had to
	// boot one.
	Warm, Cold int64
	// Died counts waiting processes that ended by themselves.
	Died int64
}

func (p *PoolStats) add(other PoolStats) {
	p.Waiting += other.Waiting
	p.Booting += other.Booting
	p.Warm += other.Warm
	p.Cold += other.Cold
	p.Died += other.Died
}

// A pool keeps booted processes waiting, for one program each. It is filled when
// it is used, and emptied when it has not been used for a while.
type pool struct {
	boot   func(context.Context) (*process, error)
	size   int
	idle   time.Duration
	logger *slog.Logger
	onIdle func() // may be nil

	ctx    context.Context // ends the boots of a closed pool
	cancel context.CancelFunc
	work   sync.WaitGroup // the goroutines that boot and watch

	mu      sync.Mutex
	waiting []*process // the longest waiting first
	booting int
	// replacements counts the processes that died waiting since the pool was last
	// used: one that always dies must not be booted for ever.
	replacements int
	shrinking    *time.Timer
	filling      *time.Timer
	stats        PoolStats
	closed       bool
}

func newPool(size int, idle time.Duration, logger *slog.Logger, boot func(context.Context) (*process, error)) *pool {
	p := &pool{boot: boot, size: size, idle: idle, logger: logger}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.shrinking = time.AfterFunc(idle, p.shrink)
	p.shrinking.Stop()
	p.filling = time.AfterFunc(fillDelay, p.fill)
	p.filling.Stop()
	return p
}

// fillDelay is how long a process that was taken is not replaced: a short program
// need not share the processors with the boot of the next one.
const fillDelay = 20 * time.Millisecond

// take returns a booted process: a waiting one if there is any. Another one will
// take its place after fillDelay, or when fill is called.
func (p *pool) take(ctx context.Context) (*process, error) {
	p.mu.Lock()
	var taken *process
	for taken == nil && len(p.waiting) > 0 {
		taken, p.waiting = p.waiting[0], p.waiting[1:]
		select {
		case <-taken.exited: // it has died just now, before its watcher could tell
			dead := taken
			taken = nil
			p.stats.Died++
			p.work.Go(func() { p.endAll([]*process{dead}) })
		default:
		}
	}
	if taken != nil {
		p.stats.Warm++
	} else {
		p.stats.Cold++
	}
	p.replacements = 0
	if !p.closed {
		p.shrinking.Reset(p.idle)
		p.filling.Reset(fillDelay)
	}
	p.mu.Unlock()
	if taken != nil {
		return taken, nil
	}
	return p.boot(ctx)
}

// fill boots what is missing, in the background.
func (p *pool) fill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed && len(p.waiting)+p.booting < p.size {
		p.booting++
		p.work.Go(p.add)
	}
}

// add boots one process and watches it until it ends, which it may do while it
// still waits.
func (p *pool) add() {
	process, err := p.boot(p.ctx)
	p.mu.Lock()
	p.booting--
	keep := err == nil && !p.closed
	if keep {
		p.waiting = append(p.waiting, process)
	}
	p.mu.Unlock()
	if err != nil {
		if p.ctx.Err() == nil { // the next run boots its own, and reports what is wrong
			p.logger.Warn("sandbox: booting a process for the pool", "error", err)
		}
		return
	}
	if !keep {
		process.end()
		return
	}
	<-process.exited
	if p.died(process) {
		p.fill()
	}
}

// died takes a process that has ended out of the pool. It tells whether another
// one should replace it.
func (p *pool) died(process *process) bool {
	p.mu.Lock()
	i := slices.Index(p.waiting, process)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.stats.Died++
		p.replacements++
	}
	replace := i >= 0 && p.replacements <= p.size
	p.mu.Unlock()
	if i >= 0 {
		process.end()
	}
	return replace
}

func (p *pool) read() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := p.stats
	stats.Waiting, stats.Booting = len(p.waiting), p.booting
	return stats
}

// shrink ends the waiting processes of a pool that has not been used.
func (p *pool) shrink() {
	if p.onIdle != nil {
		p.onIdle()
	}
	p.endAll(p.empty())
}

func (p *pool) empty() []*process {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.waiting
	p.waiting = nil
	return waiting
}

func (p *pool) endAll(processes []*process) {
	for _, process := range processes {
		process.kill()
	}
	for _, process := range processes {
		process.end()
	}
}

// close ends everything that waits or boots, and returns when it is gone. Processes
// that were taken belong to their runs; who takes one from a closed pool boots it.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.shrinking.Stop()
	p.filling.Stop()
	p.mu.Unlock()
	p.cancel()
	p.endAll(p.empty())
	p.work.Wait()
}
