package listen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// checkEvery is how long the certificate's files are trusted to be those that were read.
const checkEvery = time.Second

// TLSConfig returns how TLS is spoken on a spec's socket: version 1.2 and up, by the certificate in its files. Handshakes
// look whether the files have changed, once a second at most, and take new ones without a restart. New ones that cannot be
// used leave the old in place and are reported to problem, once for each change; it may be nil. A key that only root can
// read is used as root read it when it opened the socket, and a new one needs a new start then. The protocols above TLS
// (HTTP/2) are for the HTTP server to choose.
func TLSConfig(spec Spec, problem func(error)) (*tls.Config, error) {
	return tlsConfig(spec, problem, time.Now)
}

func tlsConfig(spec Spec, problem func(error), now func() time.Time) (*tls.Config, error) {
	c := &certificate{spec: spec, problem: problem, now: now}
	c.seen = c.stamp()
	var err error
	if c.current, _, err = loadPair(spec); err != nil {
		return nil, err
	}
	c.checked = now()
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}, nil
}

// certificate is a certificate in files that change.
type certificate struct {
	spec    Spec
	problem func(error)
	now     func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	checked time.Time
	seen    [2]fileStamp // of what was last read, usable or not
}

// fileStamp tells a file from what it was before.
type fileStamp struct {
	size    int64
	changed time.Time
	file    fs.FileInfo // for os.SameFile: a new file renamed over the old one may have its size and time
	err     string
}

func (a fileStamp) same(b fileStamp) bool {
	if a.err != b.err || a.size != b.size || !a.changed.Equal(b.changed) {
		return false
	}
	return a.file == nil || b.file == nil || os.SameFile(a.file, b.file)
}

func (c *certificate) stamp() (out [2]fileStamp) {
	for i, path := range []string{c.spec.CertFile, c.spec.KeyFile} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			out[i].err = err.Error()
			continue
		}
		out[i] = fileStamp{size: info.Size(), changed: info.ModTime(), file: info}
	}
	return out
}

// get returns the certificate of now.
func (c *certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < checkEvery {
		return c.current
	}
	c.checked = now
	stamp := c.stamp()
	if stamp[0].same(c.seen[0]) && stamp[1].same(c.seen[1]) {
		return c.current
	}
	c.seen = stamp
	pair, denied, err := loadPair(c.spec)
	if err == nil && denied != nil {
		err = denied
	}
	if err != nil {
		if c.problem != nil {
			c.problem(fmt.Errorf("the certificate on %s stays the old one: %w", c.spec.Bind, err))
		}
		return c.current
	}
	c.current = pair
	return pair
}

// maxPEM bounds a certificate's file, in bytes.
const maxPEM = 1 << 20

// loadPair reads a certificate with its key, and says clearly what is wrong with them. When this user may not read them, and
// root did before, it is that pair, with what was denied.
func loadPair(spec Spec) (pair *tls.Certificate, denied, err error) {
	keyFile := spec.KeyFile
	if keyFile == "" {
		keyFile = spec.CertFile
	}
	read, err := readPair(spec.CertFile, keyFile)
	if errors.Is(err, fs.ErrPermission) {
		if old, ok := keptFor(spec); ok {
			read, denied, err = old, err, nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if pair, err = parsePair(spec.CertFile, read.Cert, keyFile, read.Key); err != nil {
		return nil, nil, err
	}
	if denied == nil {
		keep(spec, read)
	}
	return pair, denied, nil
}

func readPair(certFile, keyFile string) (pair keptPair, err error) {
	if pair.Cert, err = readPEM("certificate", certFile); err != nil {
		return pair, err
	}
	pair.Key, err = readPEM("key", keyFile)
	return pair, err
}

func parsePair(certFile string, cert []byte, keyFile string, key []byte) (*tls.Certificate, error) {
	if !bytes.Contains(cert, []byte("-----BEGIN CERTIFICATE-----")) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", certFile)
	}
	switch kind := keyKind(key); kind {
	case "":
		return nil, fmt.Errorf("%s holds no key in PEM", keyFile)
	case "encrypted":
		return nil, fmt.Errorf("the key in %s is encrypted; a server needs it without a passphrase", keyFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		if strings.Contains(err.Error(), "does not match") {
			return nil, fmt.Errorf("the key in %s does not belong to the certificate in %s", keyFile, certFile)
		}
		return nil, fmt.Errorf("the certificate in %s with the key in %s: %w", certFile, keyFile, err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, fmt.Errorf("the certificate in %s: %w", certFile, err)
		}
	}
	return &pair, nil
}

// keyKind is the type of the first private key in PEM text, “encrypted” for one with a passphrase, "" for none.
func keyKind(text []byte) string {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return ""
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
				return "encrypted"
			}
			return block.Type
		}
	}
}

// readPEM reads a file of a certificate or key.
func readPEM(what, path string) ([]byte, error) {
	info, err := os.Stat(path) // a folder on the way may be closed, too
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the %s %s is no file", what, path)
	}
	if err == nil && info.Size() > maxPEM {
		return nil, fmt.Errorf("the %s %s is too long (%d bytes)", what, path, info.Size())
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the %s %s does not exist", what, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the %s %s cannot be read by this user (%d); let its group read it, as by “chgrp GROUP %s” and “chmod 640 %s”: %w", what, path, os.Geteuid(), path, path, err)
	case err != nil:
		return nil, fmt.Errorf("the %s cannot be read: %w", what, err)
	}
	return data, nil
}
