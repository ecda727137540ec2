package traffic

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Person sends and fetches files slowly, each over connections of its own.
type Person struct {
	Listener Listener
	Key      string // API key
	History  string // where sent files go
	// Step bytes move at a time, with Pause between.
	Step  int
	Pause time.Duration
}

// paced gives out a text slowly.
type paced struct {
	ctx    context.Context
	rest   io.Reader
	step   int
	pause  time.Duration
	behind bool
}

func (p *paced) Read(b []byte) (int, error) {
	if p.behind {
		select {
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		case <-time.After(p.pause):
		}
	}
	p.behind = true
	return p.rest.Read(b[:min(len(b), p.step)])
}

func (p Person) slowly(ctx context.Context, r io.Reader) io.Reader {
	return &paced{ctx: ctx, rest: r, step: p.Step, pause: p.Pause}
}

// call makes one request over a connection of its own; read is given the answer's body.
func (p Person) call(ctx context.Context, method, path string, header map[string]string, body io.Reader, length int64, read func(*http.Response) error) error {
	scheme := "http"
	if p.Listener.TLS != nil {
		scheme = "https"
	}
	r, err := http.NewRequestWithContext(ctx, method, scheme+"://localhost"+path, body)
	if err != nil {
		return err
	}
	r.ContentLength = length
	r.Header.Set("X-Api-Key", p.Key)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	dial := func(context.Context, string, string) (net.Conn, error) {
		c, err := p.Listener.dial()
		if err != nil {
			return nil, err
		}
		return c, c.SetDeadline(time.Time{})
	}
	transport := &http.Transport{DialContext: dial, DialTLSContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: 2 * time.Minute}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	if err := read(answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func ignore(answer *http.Response) error {
	_, err := io.Copy(io.Discard, answer.Body)
	return err
}

func (p Person) json(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return p.call(ctx, method, path, map[string]string{"Content-Type": "application/json"}, bytes.NewReader(text), int64(len(text)), func(answer *http.Response) error {
		if into == nil {
			return ignore(answer)
		}
		return json.NewDecoder(answer.Body).Decode(into)
	})
}

// SendChunk sends a file as one resumable chunk. The server says in the end how much has arrived; what arrived is checked
// by stored, which gets the upload's id.
func (p Person) SendChunk(ctx context.Context, text []byte, stored func(id string, text []byte) error) error {
	const uploads = "/api/upload/resumable_upload/"
	var path string
	err := p.call(ctx, "POST", uploads, map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Length": strconv.Itoa(len(text)),
		"Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte("sent.txt")),
	}, nil, 0, func(answer *http.Response) error {
		at, err := answer.Location()
		if err == nil {
			path = at.Path
		}
		return err
	})
	if err != nil {
		return err
	}
	err = p.call(ctx, "PATCH", path, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
		p.slowly(ctx, bytes.NewReader(text)), int64(len(text)), func(answer *http.Response) error {
			if offset := answer.Header.Get("Upload-Offset"); offset != strconv.Itoa(len(text)) {
				return fmt.Errorf("%s of %d bytes have arrived", offset, len(text))
			}
			return ignore(answer)
		})
	if err != nil {
		return err
	}
	if err := stored(path[strings.LastIndexByte(path, '/')+1:], text); err != nil {
		return err
	}
	return p.call(ctx, "DELETE", path, map[string]string{"Tus-Resumable": "1.0.0"}, nil, 0, ignore)
}

// SendForm sends a file as a form, waits until it is a dataset, and compares that. The dataset's id stays for Fetch.
func (p Person) SendForm(ctx context.Context, text []byte) (dataset string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	err = errors.Join(form.WriteField("history_id", p.History), form.WriteField("tool_id", "upload1"),
		form.WriteField("inputs", `{"files_0|NAME": "sent.txt", "file_type": "txt", "dbkey": "?"}`))
	file, fileErr := form.CreateFormFile("files_0|file_data", "sent.txt")
	if err = errors.Join(err, fileErr); err != nil {
		return "", err
	}
	if _, err := file.Write(text); err != nil {
		return "", err
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	var made struct{ Outputs []struct{ ID string } }
	err = p.call(ctx, "POST", "/api/tools", map[string]string{"Content-Type": form.FormDataContentType()}, p.slowly(ctx, &b), int64(b.Len()),
		func(answer *http.Response) error { return json.NewDecoder(answer.Body).Decode(&made) })
	if err != nil {
		return "", err
	}
	if len(made.Outputs) != 1 {
		return "", fmt.Errorf("sending a file made %d datasets", len(made.Outputs))
	}
	dataset = made.Outputs[0].ID
	for {
		var is struct {
			State string
			Info  string `json:"misc_info"`
		}
		if err := p.json(ctx, "GET", "/api/datasets/"+dataset, nil, &is); err != nil {
			return "", err
		}
		if is.State == "ok" {
			break
		}
		if is.State == "error" {
			return "", fmt.Errorf("the file that was sent is in error: %s", is.Info)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the file that was sent is still %s: %w", is.State, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	quick := p
	quick.Step, quick.Pause = 1<<20, 0
	return dataset, quick.Fetch(ctx, dataset, text)
}

// Fetch downloads a dataset slowly and compares it.
func (p Person) Fetch(ctx context.Context, dataset string, text []byte) error {
	return p.call(ctx, "GET", "/api/datasets/"+dataset+"/display?to_ext=txt", nil, nil, 0, func(answer *http.Response) error {
		sum := sha256.New()
		n, err := io.Copy(sum, p.slowly(ctx, answer.Body))
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", n, len(text), err)
		}
		if want := sha256.Sum256(text); !bytes.Equal(sum.Sum(nil), want[:]) {
			return fmt.Errorf("%d bytes came that are not the %d that were sent", n, len(text))
		}
		return nil
	})
}

// NewPerson registers somebody by the administrator's key, with a history of their own.
func NewPerson(ctx context.Context, l Listener, adminKey, name string) (Person, error) {
	admin := Person{Listener: l, Key: adminKey}
	var user, history struct{ ID string }
	err := admin.json(ctx, "POST", "/api/users", map[string]string{"username": name, "email": name + "@example.org", "password": "a long enough one"}, &user)
	if err != nil {
		return Person{}, err
	}
	p := Person{Listener: l, Step: 32 << 10, Pause: 20 * time.Millisecond}
	if err := admin.json(ctx, "POST", "/api/users/"+user.ID+"/api_key", nil, &p.Key); err != nil {
		return Person{}, err
	}
	if err := p.json(ctx, "POST", "/api/histories", map[string]string{"name": "traffic"}, &history); err != nil {
		return Person{}, err
	}
	p.History = history.ID
	return p, nil
}

// Text makes lines that no chance makes equal.
func Text(size int) []byte {
	var b bytes.Buffer
	b.Grow(size + 100)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "line %d %x\n", i, sha256.Sum256([]byte(strconv.Itoa(i))))
	}
	text := b.Bytes()[:size]
	text[size-1] = '\n'
	return text
}
