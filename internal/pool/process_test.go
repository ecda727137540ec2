package pool

import "testing"

func FuzzParseStat(f *testing.F) {
	const rest = " S 1 2 3 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 10000"
	for stat, want := range map[string]int64{
		"7 (orrery)" + rest: 12345, "7 (a) Z (b)" + rest: 12345, "7 (orrery) Z" + rest[2:]: -1, "7 (orrery) S 1": -1, "": -1, ")": -1,
	} {
		if got, ok := parseStat([]byte(stat)); ok != (want >= 0) || ok && got != want {
			f.Errorf("%q: %d, %v", stat, got, ok)
		}
		f.Add([]byte(stat))
	}
	f.Fuzz(func(t *testing.T, stat []byte) {
		if ticks, ok := parseStat(stat); !ok && ticks != 0 && len(stat) == 0 {
			t.Errorf("%q: %d", stat, ticks)
		}
	})
}
