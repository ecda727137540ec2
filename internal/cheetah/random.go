package cheetah

import (
	"crypto/sha512"
	"math"
	"math/big"
)

// twister is the Mersenne Twister MT19937, seeded as CPython seeds it, so
// that a template with random.seed(7) gives the numbers it gives in Galaxy.
type twister struct {
	s [624]uint32
	i int
}

func (t *twister) init(seed uint32) {
	t.s[0] = seed
	for i := 1; i < 624; i++ {
		t.s[i] = 1812433253*(t.s[i-1]^t.s[i-1]>>30) + uint32(i)
	}
	t.i = 624
}

// seed takes a number of any size, as 32-bit words, the least first.
func (t *twister) seed(n *big.Int) {
	var key []uint32
	for m := new(big.Int).Abs(n); m.Sign() > 0; m.Rsh(m, 32) {
		key = append(key, uint32(new(big.Int).And(m, big.NewInt(math.MaxUint32)).Uint64()))
	}
	if len(key) == 0 {
		key = []uint32{0}
	}
	t.init(19650218)
	i, j := 1, 0
	for k := max(624, len(key)); k > 0; k-- {
		t.s[i] = (t.s[i] ^ (t.s[i-1]^t.s[i-1]>>30)*1664525) + key[j] + uint32(j)
		i++
		j++
		if i >= 624 {
			t.s[0] = t.s[623]
			i = 1
		}
		if j >= len(key) {
			j = 0
		}
	}
	for k := 623; k > 0; k-- {
		t.s[i] = (t.s[i] ^ (t.s[i-1]^t.s[i-1]>>30)*1566083941) - uint32(i)
		i++
		if i >= 624 {
			t.s[0] = t.s[623]
			i = 1
		}
	}
	t.s[0] = 0x80000000
}

func (t *twister) next() uint32 {
	if t.i >= 624 {
		for k := 0; k < 624; k++ {
			y := t.s[k]&0x80000000 | t.s[(k+1)%624]&0x7fffffff
			v := t.s[(k+397)%624] ^ y>>1
			if y&1 != 0 {
				v ^= 0x9908b0df
			}
			t.s[k] = v
		}
		t.i = 0
	}
	y := t.s[t.i]
	t.i++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (t *twister) float() float64 {
	a, b := t.next()>>5, t.next()>>6
	return (float64(a)*67108864 + float64(b)) / 9007199254740992
}

func (t *twister) bits(k int) uint64 {
	if k <= 32 {
		return uint64(t.next() >> (32 - k))
	}
	lo := uint64(t.next())
	return lo | uint64(t.next()>>(64-k))<<32
}

// below is a number from 0 to n-1.
func (t *twister) below(n int64) int64 {
	k := big.NewInt(n).BitLen()
	for {
		if v := t.bits(k); v < uint64(n) {
			return int64(v)
		}
	}
}

func (r *runtime) twister() *twister {
	if r.random == nil {
		r.random = &twister{}
		seed := r.lim.Seed
		if seed == 0 {
			seed = r.lim.Now().UnixNano()
		}
		r.random.seed(big.NewInt(seed))
	}
	return r.random
}

// randomModule is made for each rendering, so that none disturbs another.
func (r *runtime) randomModule() *Module {
	nonEmpty := func(r *runtime, v Value) []Value {
		items := r.slice(v)
		if len(items) == 0 {
			r.raise(excIndex, "Cannot choose from an empty sequence")
		}
		return items
	}
	randrange := func(r *runtime, lo, hi int64) int64 {
		if hi <= lo || hi-lo <= 0 {
			r.raise(excValue, "empty range for randrange()")
		}
		return lo + r.twister().below(hi-lo)
	}
	return &Module{Name: "random", Attrs: fnAttrs(map[string]native{
		"seed": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("seed", args, kw, 0, "a", "version")
			t := r.twister()
			switch x := a[0].(type) {
			case unset, nil:
				t.seed(big.NewInt(r.lim.Now().UnixNano()))
			case string:
				sum := sha512.Sum512([]byte(x))
				t.seed(new(big.Int).SetBytes(append([]byte(x), sum[:]...)))
			case Bytes:
				sum := sha512.Sum512([]byte(x))
				t.seed(new(big.Int).SetBytes(append([]byte(x), sum[:]...)))
			default:
				if n, ok := bigOf(x); ok {
					t.seed(n)
				} else {
					n, _ := hashNumber(keyText(r.hash(x))).(int64)
					t.seed(big.NewInt(n))
				}
			}
			return nil
		},
		"random": func(r *runtime, args []Value, kw []kwarg) Value { return r.twister().float() },
		"uniform": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("uniform", args, kw, 2, "a", "b")
			lo, hi := r.needFloat("uniform", a[0]), r.needFloat("uniform", a[1])
			return lo + (hi-lo)*r.twister().float()
		},
		"randint": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("randint", args, kw, 2, "a", "b")
			hi := r.needInt("randint", a[1])
			if hi == math.MaxInt64 {
				r.raise(excValue, "range too large for randint()")
			}
			return randrange(r, r.needInt("randint", a[0]), hi+1)
		},
		"randrange": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("randrange", args, kw, 1, "start", "stop", "step")
			if !given(a[1]) {
				return randrange(r, 0, r.needInt("randrange", a[0]))
			}
			if given(a[2]) {
				x := &rangeVal{r.needInt("randrange", a[0]), r.needInt("randrange", a[1]), r.needInt("randrange", a[2])}
				if x.step == 0 || x.step == math.MinInt64 {
					r.raise(excValue, "zero step for randrange()")
				}
				return x.start + x.step*randrange(r, 0, x.len())
			}
			return randrange(r, r.needInt("randrange", a[0]), r.needInt("randrange", a[1]))
		},
		"choice": one("choice", func(r *runtime, v Value) Value {
			items := nonEmpty(r, v)
			return items[r.twister().below(int64(len(items)))]
		}),
		"shuffle": one("shuffle", func(r *runtime, v Value) Value {
			l, ok := v.(*List)
			if !ok {
				r.raise(excType, "shuffle() needs a list")
			}
			for i := len(l.Items) - 1; i > 0; i-- {
				r.step()
				j := r.twister().below(int64(i + 1))
				l.Items[i], l.Items[j] = l.Items[j], l.Items[i]
			}
			return nil
		}),
		"sample": func(r *runtime, args []Value, kw []kwarg) Value {
			a := r.args("sample", args, kw, 2, "population", "k")
			pool := r.slice(a[0])
			n, k := len(pool), int(max(-1, min(r.needInt("sample", a[1]), math.MaxInt32)))
			if k < 0 || k > n {
				r.raise(excValue, "Sample larger than population or is negative")
			}
			out := &List{Items: make([]Value, k)}
			setSize := 21
			if k > 5 {
				setSize += int(math.Pow(4, math.Ceil(math.Log(float64(k*3))/math.Log(4))))
			}
			if n <= setSize {
				for i := range out.Items {
					r.step()
					j := r.twister().below(int64(n - i))
					out.Items[i] = pool[j]
					pool[j] = pool[n-i-1]
				}
				return out
			}
			used := map[int64]bool{}
			for i := range out.Items {
				r.step()
				j := r.twister().below(int64(n))
				for used[j] {
					r.step()
					j = r.twister().below(int64(n))
				}
				used[j] = true
				out.Items[i] = pool[j]
			}
			return out
		},
		"getrandbits": one("getrandbits", func(r *runtime, v Value) Value {
			k := r.needInt("getrandbits", v)
			if k < 0 || k > 62 {
				r.raise(excValue, "number of bits must be from 0 to 62")
			}
			if k == 0 {
				return int64(0)
			}
			return int64(r.twister().bits(int(k)))
		}),
	})}
}
