package galaxy

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the passwords of very old servers
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
)

// The parameters of new password hashes, as Galaxy writes them.
const (
	passwordSaltBytes  = 12
	passwordKeyBytes   = 24
	passwordIterations = 100_000
	// maxPasswordIterations bounds the work a hash found in the database can
	// ask for.
	maxPasswordIterations = 10_000_000
)

// HashPassword makes the value of galaxy_user.password for a password:
// `PBKDF2$sha256$100000$SALT$KEY`. It costs tens of milliseconds of CPU by
// design.
func HashPassword(password string) string {
	var random [passwordSaltBytes]byte
	_, _ = rand.Read(random[:]) // never fails, says crypto/rand
	// What is mixed in is the salt's base64 text, not the bytes it stands for.
	salt := base64.StdEncoding.EncodeToString(random[:])
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), passwordIterations, passwordKeyBytes)
	if err != nil {
		panic("galaxy: PBKDF2 refused constant parameters: " + err.Error())
	}
	return strings.Join([]string{
		"PBKDF2", "sha256", strconv.Itoa(passwordIterations), salt, base64.StdEncoding.EncodeToString(key),
	}, "$")
}

// CheckPassword tells whether password is the one that hashed was made of,
// whether in Galaxy's present form or in the oldest one, an unsalted SHA-1 in
// hex. A hash in no known form matches nothing.
func CheckPassword(password, hashed string) bool {
	if !strings.HasPrefix(hashed, "PBKDF2") {
		sum := sha1.Sum([]byte(password)) //nolint:gosec // see above
		return same(hex.EncodeToString(sum[:]), hashed)
	}
	parts := strings.Split(hashed, "$")
	if len(parts) != 5 || parts[0] != "PBKDF2" {
		return false
	}
	var newHash func() hash.Hash
	switch parts[1] {
	case "sha256":
		newHash = sha256.New
	case "sha512":
		newHash = sha512.New
	case "sha1":
		newHash = sha1.New
	default:
		return false
	}
	iterations, err := strconv.Atoi(parts[2])
	if err != nil || iterations < 1 || iterations > maxPasswordIterations {
		return false
	}
	key, err := pbkdf2.Key(newHash, password, []byte(parts[3]), iterations, passwordKeyBytes)
	return err == nil && same(base64.StdEncoding.EncodeToString(key), parts[4])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
