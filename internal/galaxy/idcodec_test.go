package galaxy_test

import (
	"strings"
	"testing"

	"orrery/internal/galaxy"
)

func defaultCodec(t testing.TB) *galaxy.IDCodec {
	t.Helper()
	c, err := galaxy.NewIDCodec(galaxy.DefaultIDSecret)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The encoded forms in these tests were printed by Galaxy 26.1.2.

func TestIDsAreEncodedAsGalaxyDoes(t *testing.T) {
	c := defaultCodec(t)
	for id, want := range map[int64]string{
		1:           "f2db41e1fa331b3e",
		12345678:    "c6ca0ddb55be603a76ca7b1c3af82659",
		12345678901: "a0d84b45643a26787b6439990fb29b38",
	} {
		if got := c.Encode(id); got != want {
			t.Errorf("Encode(%d) = %s, want %s", id, got, want)
		}
		if got, err := c.Decode(strings.ToUpper(want)); err != nil || got != id {
			t.Errorf("Decode(%s) = %d, %v, want %d", want, got, err, id)
		}
	}
}

func TestIDsOfAKindAreEncodedAsGalaxyDoes(t *testing.T) {
	c := defaultCodec(t)
	if got, want := c.EncodeKind(1, galaxy.KindCSRF), "694925540614ed7f"; got != want {
		t.Errorf("EncodeKind(1, csrf) = %s, want %s", got, want)
	}
	if got, want := c.EncodeKind(5, "session"), "fde39e81e1d956e0"; got != want {
		t.Errorf("EncodeKind(5, session) = %s, want %s", got, want)
	}
	if id, err := c.DecodeKind("694925540614ed7f", galaxy.KindCSRF); err != nil || id != 1 {
		t.Errorf("DecodeKind = %d, %v, want 1", id, err)
	}
	if id, err := c.Decode("694925540614ed7f"); galaxy.KindOf(err) != galaxy.MalformedID {
		t.Errorf("an id of a kind decoded as a plain one: %d, %v", id, err)
	}
}

func TestLongSecretKeepsTheEndForKinds(t *testing.T) {
	c, err := galaxy.NewIDCodec("A very long secret of fifty-six characters in all, sixty")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Encode(99), "d30f89ce95347334"; got != want {
		t.Errorf("Encode(99) = %s, want %s", got, want)
	}
	if got, want := c.EncodeKind(99, "user_csrf"), "cb2e5b57c0bf901f"; got != want {
		t.Errorf("EncodeKind(99, user_csrf) = %s, want %s", got, want)
	}
}

func TestSecretsThatBlowfishCannotTakeAreRefused(t *testing.T) {
	for _, secret := range []string{"", strings.Repeat("x", 57)} {
		if _, err := galaxy.NewIDCodec(secret); err == nil || !strings.Contains(err.Error(), "id_secret") {
			t.Errorf("a secret of %d bytes gives %v", len(secret), err)
		}
	}
}

func TestGUIDsAreEncodedAsGalaxyDoes(t *testing.T) {
	c := defaultCodec(t)
	const key = "70bf8fc93b94bdc6b7040be251200a68"
	const want = "c6ca0ddb55be603a5b4682e02a95541db1364cbdf04f4ddf856fd4a5c056300f88f57b03fb5d6915"
	if got := c.EncodeGUID(key); got != want {
		t.Errorf("EncodeGUID = %s, want %s", got, want)
	}
	if got, err := c.DecodeGUID(want); err != nil || got != key {
		t.Errorf("DecodeGUID = %s, %v", got, err)
	}
	// An encoded "foo": well-formed, but not hex.
	if got, err := c.DecodeGUID("1c101c6cbd686947"); galaxy.KindOf(err) != galaxy.MalformedID {
		t.Errorf("DecodeGUID of a text that is not hex = %q, %v", got, err)
	}
}

func TestMalformedIDsAreRefused(t *testing.T) {
	c := defaultCodec(t)
	for _, bad := range []string{
		"", "1", "zz", "f2db41e1fa331b3", "f2db41e1fa331b3e00", "f2db41e1fa331b3f", "0000000000000000",
		"gggggggggggggggg", "1c101c6cbd686947", "a1e93737a0985db0", // "foo", "-3"
		c.EncodeGUID("!"), c.EncodeGUID("99999999999999999999999"), strings.Repeat("f2db41e1fa331b3e", 100), "\xff\x00",
	} {
		if id, err := c.Decode(bad); galaxy.KindOf(err) != galaxy.MalformedID {
			t.Errorf("Decode(%q) = %d, %v; want a malformed id", bad, id, err)
		}
	}
}

func TestNewGUID(t *testing.T) {
	a, b := galaxy.NewGUID(), galaxy.NewGUID()
	if a == b || len(a) != 32 || strings.Trim(a, "0123456789abcdef") != "" {
		t.Errorf("NewGUID gave %q and %q", a, b)
	}
}

func FuzzDecodeID(f *testing.F) {
	for _, s := range []string{"f2db41e1fa331b3e", "c6ca0ddb55be603a76ca7b1c3af82659", "", "zz", "0000000000000000"} {
		f.Add(s)
	}
	c := defaultCodec(f)
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = c.DecodeGUID(s)
		id, err := c.Decode(s)
		if err != nil {
			return
		}
		if again, err := c.Decode(c.Encode(id)); err != nil || again != id {
			t.Errorf("%q decodes to %d, which comes back as %d, %v", s, id, again, err)
		}
	})
}
