//go:build linux && (amd64 || arm64)

package jail

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A cond is a test of one half of an argument of a system call.
type cond struct {
	arg     int
	upper   bool
	mask    uint32 // 0 tests the whole half
	set     bool   // any bit of value is set, instead of: equal to value
	value   uint32
	negated bool
}

// The lower half is what the kernel reads of an int.
func equal(arg int, value uint32) cond        { return cond{arg: arg, value: value} }
func upper(arg int, value uint32) cond        { return cond{arg: arg, upper: true, value: value} }
func masked(arg int, mask, value uint32) cond { return cond{arg: arg, mask: mask, value: value} }
func anyBit(arg int, bits uint32) cond        { return cond{arg: arg, set: true, value: bits} }
func not(c cond) cond                         { c.negated = !c.negated; return c }

// A clause gives a call whose arguments meet all conditions its end.
type clause struct {
	when []cond
	then uint32
}

// oneOf gives a call that has one of the values as an argument its end.
func oneOf(arg int, then uint32, values ...uint32) (clauses []clause) {
	for _, v := range values {
		clauses = append(clauses, clause{when: []cond{equal(arg, v)}, then: then})
	}
	return clauses
}

// Offsets in struct seccomp_data of linux/seccomp.h. Both architectures are
// little-endian.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// A code is a piece of a filter.
type code []unix.SockFilter

func (c *code) add(op uint16, k uint32, yes, no uint8) {
	*c = append(*c, unix.SockFilter{Code: op, K: k, Jt: yes, Jf: no})
}

func (c *code) load(offset uint32) { c.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset, 0, 0) }
func (c *code) ret(value uint32)   { c.add(unix.BPF_RET|unix.BPF_K, value, 0, 0) }

// A rule is the code of one call. Every path ends in it.
type rule struct {
	number uint32
	code   code
}

// An assembler makes a filter that allows what no rule is about.
type assembler struct{ rules []rule }

// refuse adds a rule for each call.
func (f *assembler) refuse(numbers ...uint32) {
	for _, nr := range numbers {
		f.on(nr, refused)
	}
}

// on adds the rule of one call: the first clause that holds decides, else otherwise
// does.
func (f *assembler) on(number uint32, otherwise uint32, clauses ...clause) {
	var c code
	for _, clause := range clauses {
		c.clause(clause)
	}
	c.ret(otherwise)
	f.rules = append(f.rules, rule{number, c})
}

func (c *code) clause(cl clause) {
	var misses []int // the tests that jump behind the clause when they fail
	for _, test := range cl.when {
		offset := uint32(offsetArgs + 8*test.arg)
		if test.upper {
			offset += 4
		}
		c.load(offset)
		if test.mask != 0 {
			c.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, test.mask, 0, 0)
		}
		op := uint16(unix.BPF_JEQ)
		if test.set {
			op = unix.BPF_JSET
		}
		misses = append(misses, len(*c))
		c.add(unix.BPF_JMP|op|unix.BPF_K, test.value, 0, 0)
	}
	c.ret(cl.then)
	for i, at := range misses {
		away := distance(len(*c) - at - 1)
		if cl.when[i].negated {
			(*c)[at].Jt = away
		} else {
			(*c)[at].Jf = away
		}
	}
}

func distance(n int) uint8 {
	if n > 255 {
		panic("jail: a rule of the filter is longer than a jump")
	}
	return uint8(n)
}

// assemble returns the filter. It finds the rule by bisection: the kernel runs a new
// filter once for each of its calls, to know which are allowed whatever their
// arguments, and that takes longer than all else at a start.
func (f *assembler) assemble() []unix.SockFilter {
	c := make(code, 0, 1024)
	// The same number is another call on another architecture (int 0x80 on amd64).
	c.load(offsetArch)
	c.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, auditArch, 1, 0)
	c.ret(refused)
	c.load(offsetNumber)
	if x32Bit != 0 {
		c.add(unix.BPF_JMP|unix.BPF_JSET|unix.BPF_K, x32Bit, 0, 1)
		c.ret(absent)
	}
	slices.SortFunc(f.rules, func(a, b rule) int { return int(a.number) - int(b.number) })
	c.bisect(f.rules)
	return c
}

func (c *code) bisect(rules []rule) {
	if len(rules) <= 6 { // shorter than the jumps that it would save
		for _, r := range rules {
			c.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, r.number, 0, distance(len(r.code)))
			*c = append(*c, r.code...)
		}
		c.ret(allowed)
		return
	}
	middle := len(rules) / 2
	c.add(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, rules[middle].number, 0, 1)
	far := len(*c)
	c.add(unix.BPF_JMP|unix.BPF_JA, 0, 0, 0)
	c.bisect(rules[:middle])
	(*c)[far].K = uint32(len(*c) - far - 1)
	c.bisect(rules[middle:])
}
