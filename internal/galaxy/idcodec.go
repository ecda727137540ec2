package galaxy

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/blowfish" //nolint:staticcheck // Galaxy's URLs are made with it
)

// DefaultIDSecret is Galaxy's default for the option id_secret.
const DefaultIDSecret = "USING THE DEFAULT IS NOT SECURE!"

// maxIDSecret is the longest key that Blowfish takes, in bytes.
const maxIDSecret = 56

// maxEncodedID bounds what is accepted as an encoded id or guid, in hex digits.
// A guid, the longest, has 80.
const maxEncodedID = 512

// The kinds of ids that are encoded with a key of their own, so that an id of
// one kind cannot be passed for another.
const (
	KindCSRF     = "csrf"
	KindJobFiles = "jobs_files"
	KindDRS      = "drs"
)

// IDCodec turns database ids into the ids of URLs and the API and back, as
// Galaxy does: the decimal digits, padded on the left with exclamation marks,
// encrypted with Blowfish (ECB) under id_secret, in hex.
//
// It hides ids; it does not authenticate them, so a decoded id proves nothing
// about the right to use it.
type IDCodec struct {
	secret string
	cipher *blowfish.Cipher
	kinds  sync.Map // kind → *blowfish.Cipher
}

// NewIDCodec makes the codec of an id_secret, 1 to 56 bytes long.
func NewIDCodec(secret string) (*IDCodec, error) {
	if secret == "" || len(secret) > maxIDSecret {
		return nil, fmt.Errorf("id_secret has %d bytes; use between 1 and %d", len(secret), maxIDSecret)
	}
	cipher, err := blowfish.NewCipher([]byte(secret))
	if err != nil {
		return nil, fmt.Errorf("id_secret: %w", err)
	}
	return &IDCodec{secret: secret, cipher: cipher}, nil
}

// Encode gives the public form of a database id: 16 lower-case hex digits (more
// from 10^7 on).
func (c *IDCodec) Encode(id int64) string { return encrypt(c.cipher, strconv.FormatInt(id, 10)) }

// EncodeNull is Encode, with nil for 0: the API's form of a reference that may
// be absent.
func (c *IDCodec) EncodeNull(id int64) any {
	if id == 0 {
		return nil
	}
	return c.Encode(id)
}

// EncodeKind is Encode under the key of one kind.
func (c *IDCodec) EncodeKind(id int64, kind string) string {
	return encrypt(c.kind(kind), strconv.FormatInt(id, 10))
}

// Decode gives the database id of an encoded one; an Error of kind MalformedID
// when it is none.
func (c *IDCodec) Decode(encoded string) (int64, error) { return decodeID(c.cipher, encoded) }

// DecodeKind is Decode under the key of one kind.
func (c *IDCodec) DecodeKind(encoded, kind string) (int64, error) {
	return decodeID(c.kind(kind), encoded)
}

// EncodeGUID gives the public form of a random key, for example that of the
// session cookie: a session key of 32 hex digits becomes 80.
func (c *IDCodec) EncodeGUID(guid string) string { return encrypt(c.cipher, guid) }

// DecodeGUID gives the key of an encoded one, which is made of hex digits; an
// Error of kind MalformedID when it is none.
func (c *IDCodec) DecodeGUID(encoded string) (string, error) {
	guid, ok := decrypt(c.cipher, encoded)
	if !ok || guid == "" || strings.Trim(guid, "0123456789abcdefABCDEF") != "" {
		return "", malformed(encoded)
	}
	return guid, nil
}

// NewGUID makes a random key of 128 bits, in 32 hex digits: a session key or an
// API key.
func NewGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	return hex.EncodeToString(b[:])
}

func (c *IDCodec) kind(kind string) *blowfish.Cipher {
	if found, ok := c.kinds.Load(kind); ok {
		return found.(*blowfish.Cipher)
	}
	// The kind stands at the end, and it is the end that is kept.
	key := c.secret + "__" + kind
	key = key[max(0, len(key)-maxIDSecret):]
	cipher, err := blowfish.NewCipher([]byte(key))
	if err != nil {
		panic("galaxy: a Blowfish key of 3 to 56 bytes was refused: " + err.Error())
	}
	found, _ := c.kinds.LoadOrStore(kind, cipher)
	return found.(*blowfish.Cipher)
}

func encrypt(cipher *blowfish.Cipher, text string) string {
	pad := blowfish.BlockSize - len(text)%blowfish.BlockSize // a full block when nothing is missing
	b := append(bytes.Repeat([]byte{'!'}, pad), text...)
	for i := 0; i < len(b); i += blowfish.BlockSize {
		cipher.Encrypt(b[i:], b[i:])
	}
	return hex.EncodeToString(b)
}

func decrypt(cipher *blowfish.Cipher, encoded string) (string, bool) {
	if encoded == "" || len(encoded) > maxEncodedID || len(encoded)%(2*blowfish.BlockSize) != 0 {
		return "", false
	}
	b, err := hex.DecodeString(encoded)
	if err != nil {
		return "", false
	}
	for i := 0; i < len(b); i += blowfish.BlockSize {
		cipher.Decrypt(b[i:], b[i:])
	}
	return strings.TrimLeft(string(b), "!"), true
}

func decodeID(cipher *blowfish.Cipher, encoded string) (int64, error) {
	text, ok := decrypt(cipher, encoded)
	if !ok {
		return 0, malformed(encoded)
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 0 || text[0] == '+' {
		return 0, malformed(encoded)
	}
	return id, nil
}

func malformed(encoded string) error {
	if len(encoded) > 64 {
		encoded = encoded[:64] + "…"
	}
	return Errorf(MalformedID, "Wrong  id ( %s ) specified, unable to decode.", strings.ToValidUTF8(encoded, "?"))
}
