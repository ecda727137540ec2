package galaxy_test

import (
	"regexp"
	"strings"
	"testing"

	"orrery/internal/galaxy"
)

func TestPasswordsOfGalaxyAreAccepted(t *testing.T) {
	for name, hashed := range map[string]string{
		"as 26.1.2 writes it": "PBKDF2$sha256$100000$olnG0npk0ZJ2owic$ce9rwXsee0i6oB8RburB2cS/Yn+/3ryg",
		"the oldest form":     "e38ad214943daad1d64c102faec29de4afe9da3d",
	} {
		t.Run(name, func(t *testing.T) {
			if !galaxy.CheckPassword("password1", hashed) {
				t.Error("the right password is refused")
			}
			if galaxy.CheckPassword("password2", hashed) {
				t.Error("a wrong password is accepted")
			}
		})
	}
}

func TestNewPasswordHashes(t *testing.T) {
	hashed := galaxy.HashPassword("pässword")
	if !regexp.MustCompile(`^PBKDF2\$sha256\$100000\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{32}$`).MatchString(hashed) {
		t.Errorf("HashPassword gave %q", hashed)
	}
	if !galaxy.CheckPassword("pässword", hashed) || galaxy.CheckPassword("password", hashed) {
		t.Error("CheckPassword does not agree with HashPassword")
	}
	if hashed == galaxy.HashPassword("pässword") {
		t.Error("two hashes of one password are the same: no salt")
	}
}

func TestHashesInNoKnownFormMatchNothing(t *testing.T) {
	for _, hashed := range []string{
		"", "PBKDF2", "PBKDF2$sha256$100000$x", "PBKDF2$md5$1$x$y", "PBKDF2$sha256$-1$x$y", "PBKDF2$sha256$0$x$y",
		"PBKDF2$sha256$99999999999$x$y", "PBKDF2$sha256$1$x$", "PBKDF2$$$$", strings.Repeat("$", 4),
	} {
		if galaxy.CheckPassword("", hashed) || galaxy.CheckPassword("y", hashed) {
			t.Errorf("%q accepts a password", hashed)
		}
	}
}
