package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orrery/internal/testenv"
)

// An upload in resumable chunks, as the client's tus library does it, one HTTP request at a time.

const uploads = "/api/upload/resumable_upload/"

func (p *person) tus(method, address string, offset int64, body io.Reader, length int64, header map[string]string) *http.Response {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, address, body)
	if err != nil {
		p.t.Fatal(err)
	}
	request.ContentLength = length
	request.Header.Set("Tus-Resumable", "1.0.0")
	if p.key != "" {
		request.Header.Set("X-Api-Key", p.key)
	}
	if method == http.MethodPatch {
		request.Header.Set("Upload-Offset", strconv.FormatInt(offset, 10))
		request.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := p.client.Do(request)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, address, err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, address, err)
	}
	if err := response.Body.Close(); err != nil {
		p.t.Fatal(err)
	}
	response.Body = io.NopCloser(strings.NewReader(string(text)))
	return response
}

// begin announces an upload and returns its address.
func (p *person) begin(name string, size int64) string {
	p.t.Helper()
	response := p.tus(http.MethodPost, p.server.URL+uploads, 0, nil, 0, map[string]string{
		"Upload-Length":   strconv.FormatInt(size, 10),
		"Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte(name)),
	})
	if response.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(response.Body)
		p.t.Fatalf("an upload cannot be begun: %s %s", response.Status, text)
	}
	address, err := url.Parse(p.server.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	if address, err = address.Parse(response.Header.Get("Location")); err != nil {
		p.t.Fatal(err)
	}
	return address.String()
}

// patch sends a chunk and returns the new offset.
func (p *person) patch(address string, offset int64, chunk io.Reader, length int64) int64 {
	p.t.Helper()
	response := p.tus(http.MethodPatch, address, offset, chunk, length, nil)
	if response.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(response.Body)
		p.t.Fatalf("a chunk at %d answers %s %s", offset, response.Status, text)
	}
	return p.offset(response)
}

func (p *person) offset(response *http.Response) int64 {
	p.t.Helper()
	offset, err := strconv.ParseInt(response.Header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		p.t.Fatalf("%s without Upload-Offset", response.Status)
	}
	return offset
}

func uploadID(address string) string { return address[strings.LastIndexByte(address, '/')+1:] }

// element refers to a finished upload as the client does.
func element(name, address string) map[string]any {
	return map[string]any{"src": "files", "name": name, "ext": "auto", "to_posix_lines": true}
}

// fetchUploaded turns a finished upload into a dataset, and returns its id.
func (p *person) fetchUploaded(history, name, address string) string {
	p.t.Helper()
	var m made
	p.must("POST", "/api/tools/fetch", p.uploadedRequest(history, name, address), &m)
	return m.Outputs[0].ID
}

func (p *person) uploadedRequest(history, name, address string) map[string]any {
	request := fetchRequest(history, element(name, address))
	file, err := json.Marshal(map[string]any{"session_id": uploadID(address), "name": name})
	if err != nil {
		p.t.Fatal(err)
	}
	request["files_0|file_data"] = json.RawMessage(file)
	return request
}

// randomText makes lines that no compression and no chance can confuse.
func randomText(size int) string {
	random := rand.New(rand.NewPCG(1, uint64(size)))
	text := make([]byte, size)
	for i := range text {
		text[i] = 'a' + byte(random.IntN(26))
		if i%61 == 60 || i == size-1 {
			text[i] = '\n'
		}
	}
	return string(text)
}

// cutOff sends the beginning of a chunk whose length it announces as more, and hangs up.
func (p *person) cutOff(address string, offset int64, beginning string, length int) {
	p.t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	connection, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", target.Host)
	if err != nil {
		p.t.Fatal(err)
	}
	w := bufio.NewWriter(connection)
	fmt.Fprintf(w, "PATCH %s HTTP/1.1\r\nHost: %s\r\nTus-Resumable: 1.0.0\r\nX-Api-Key: %s\r\nUpload-Offset: %d\r\n"+
		"Content-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n%s", target.Path, target.Host, p.key, offset, length, beginning)
	if err := w.Flush(); err != nil {
		p.t.Fatal(err)
	}
	if err := connection.Close(); err != nil {
		p.t.Fatal(err)
	}
}

// kept asks how much of an upload has arrived, until it is at least so much and nobody writes to it any more.
func (p *person) kept(address string, atLeast int64) (offset int64) {
	p.t.Helper()
	testenv.Poll(p.t, "the upload to be free", time.Minute, func() bool {
		response := p.tus(http.MethodHead, address, 0, nil, 0, nil)
		switch response.StatusCode {
		case http.StatusOK:
			offset = p.offset(response)
			return offset >= atLeast
		case http.StatusLocked: // the server has not noticed yet that the connection is gone
			return false
		}
		p.t.Fatalf("asking for the upload's offset answers %s", response.Status)
		return false
	})
	return offset
}

// TestUploadCutOff loses the connection in the middle of a chunk, and later the server's web workers; each time the
// upload goes on where it was.
func TestUploadCutOff(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		p := newPerson(t, s, "sender")
		stranger := newPerson(t, s, "stranger")
		history := p.newHistory("Cut off")
		text := randomText(6 << 20)
		const half, third = 2 << 20, 4 << 20
		address := p.begin("words.txt", int64(len(text)))

		p.cutOff(address, 0, text[:half], len(text))
		offset := p.kept(address, 1)
		if offset > half {
			t.Fatalf("%d bytes have arrived of the %d sent", offset, half)
		}
		// An unfinished upload is no dataset, and nobody else's.
		contains(t, "using it too early", p.refused("POST", "/api/tools/fetch", p.uploadedRequest(history, "words.txt", address), 400), "not complete")
		if response := stranger.tus(http.MethodHead, address, 0, nil, 0, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("a stranger asking for it is answered %s", response.Status)
		}
		if response := stranger.tus(http.MethodPatch, address, offset, strings.NewReader("x"), 1, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("a stranger writing to it is answered %s", response.Status)
		}
		if response := stranger.tus(http.MethodDelete, address, 0, nil, 0, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("a stranger removing it is answered %s", response.Status)
		}
		// What was sent already is not taken twice.
		if response := p.tus(http.MethodPatch, address, 0, strings.NewReader("x"), 1, nil); response.StatusCode != http.StatusConflict {
			t.Errorf("a chunk at the wrong place is answered %s", response.Status)
		}

		offset = p.patch(address, offset, strings.NewReader(text[offset:third]), third-offset)
		if s.Own != nil {
			p.cutOff(address, offset, text[offset:offset+100], len(text)-int(offset))
			for _, worker := range s.Own.Processes() {
				if strings.HasPrefix(worker, "main.") {
					s.Own.WaitRestarted(worker, s.Own.KillProcess(worker))
				}
			}
			s.Own.WaitAnswers()
			offset = p.kept(address, offset)
		}
		if offset = p.patch(address, offset, strings.NewReader(text[offset:]), int64(len(text))-offset); offset != int64(len(text)) {
			t.Fatalf("the upload ends at %d, want %d", offset, len(text))
		}
		contains(t, "a stranger using it", stranger.refused("POST", "/api/tools/fetch",
			stranger.uploadedRequest(stranger.newHistory("Mine"), "words.txt", address), 404), "no such upload")
		p.ok(p.fetchUploaded(history, "words.txt", address), text)
		// It is a dataset now, and no upload any more.
		contains(t, "using it twice", p.refused("POST", "/api/tools/fetch", p.uploadedRequest(history, "words.txt", address), 404), "send the file again")
	})
}

// TestUploadOfNothing uploads 0 bytes in each way. As in Galaxy that makes an empty dataset, which is one like others.
func TestUploadOfNothing(t *testing.T) {
	onEachServer(t, func(t *testing.T, s server) {
		p := newPerson(t, s, "minimalist")
		history := p.newHistory("Nothing")
		for way, dataset := range map[string]string{
			"chunks": p.fetchUploaded(history, "empty.txt", p.begin("empty.txt", 0)),
			"form":   p.form(history, "empty.txt", ""),
			"paste":  p.paste(history, "empty.txt", ""),
		} {
			p.ok(dataset, "")
			if d := p.show(dataset); d.Name != "empty.txt" || d.Size != 0 || d.Ext != "txt" || d.Blurb != "0 lines" {
				t.Errorf("%s: %+v", way, d)
			}
			p.ok(p.run(history, "cat1", map[string]any{"input1": hda(dataset)}).Outputs[0].ID, "")
		}
	})
}

// form uploads a file in one request, as older clients do.
func (p *person) form(history, name, content string) string {
	p.t.Helper()
	const boundary = "a-boundary-of-the-test"
	var b strings.Builder
	field := func(name, value string) {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, name, value)
	}
	field("history_id", history)
	field("tool_id", "upload1")
	field("inputs", `{"files_0|NAME": "`+name+`", "file_type": "auto", "dbkey": "?"}`)
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q; filename=%q\r\n\r\n%s\r\n--%s--\r\n",
		boundary, "files_0|file_data", name, content, boundary)
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.server.URL+"/api/tools", strings.NewReader(b.String()))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	status, answer, err := p.send(request)
	if err != nil {
		p.t.Fatal(err)
	}
	var m made
	if err := json.Unmarshal(answer, &m); err != nil || status != http.StatusOK || len(m.Outputs) != 1 {
		p.t.Fatalf("uploading a form: %d %s", status, answer)
	}
	return m.Outputs[0].ID
}

// sendFile uploads a small file in one chunk and returns its address.
func (p *person) sendFile(name, content string) string {
	p.t.Helper()
	address := p.begin(name, int64(len(content)))
	p.patch(address, 0, strings.NewReader(content), int64(len(content)))
	return address
}

const (
	largeSize  = 3 << 30
	largeChunk = 10 << 20 // the client's
	largeLine  = "chr1\t1000\t2000\tname\t0\t+\n"
	// largeMemory bounds what each process of the server may occupy while the file comes in.
	largeMemory = 100 << 20
)

// repeated is a text of a line again and again, cut at a size.
type repeated struct {
	line string
	at   int
}

func (r *repeated) Read(b []byte) (n int, err error) {
	for n < len(b) {
		c := copy(b[n:], r.line[r.at:])
		n, r.at = n+c, (r.at+c)%len(r.line)
	}
	return n, nil
}

// TestUploadOf3GiB uploads a file that is larger than the memory that the server may use for it.
func TestUploadOf3GiB(t *testing.T) {
	if testing.Short() {
		t.Skip("needs external programs, left out by -short")
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &disk); err != nil {
		t.Fatal(err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < 8<<30 {
		t.Fatalf("%s has %d MiB free; this test needs 8 GiB: make room, set TMPDIR to a larger disk, or run with -short", os.TempDir(), free>>20)
	}
	own := testenv.Server(t, testenv.Options{WebWorkers: 1, Handlers: 1})
	p := newPerson(t, server{URL: own.URL, Key: testenv.AdminKey, Own: own}, "hoarder")
	history := p.newHistory("Large")
	watch := watchMemory(t, own)
	size := int64(largeSize - largeSize%len(largeLine))
	address := p.begin("large.bed", size)
	source := &repeated{line: largeLine}
	for offset := int64(0); offset < size; {
		length := min(largeChunk, size-offset)
		if got := p.patch(address, offset, io.LimitReader(source, length), length); got != offset+length {
			t.Fatalf("after a chunk of %d bytes the offset went from %d to %d", length, offset, got)
		}
		offset += length
	}
	d := p.endedWithin(p.fetchUploaded(history, "large.bed", address), 15*time.Minute)
	if d.State != "ok" || d.Size != size || d.Ext != "bed" {
		t.Errorf("the dataset is %+v", d)
	}
	// Its end can be read without the rest.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, own.URL+"/api/datasets/"+d.ID+"/display?to_ext=bed", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", fmt.Sprintf("bytes=%d-", size-int64(len(largeLine))))
	if status, answer, err := p.send(request); err != nil || status != http.StatusPartialContent || string(answer) != largeLine {
		t.Errorf("the last line is answered %d %.100q %v", status, answer, err)
	}
	watch()
}

// watchMemory notes the most memory (proportional set size) that any process of the server has, until the returned
// function is called, which fails the test if that was too much.
func watchMemory(t *testing.T, own *testenv.Instance) (done func()) {
	t.Helper()
	var most atomic.Int64
	var whose atomic.Value
	stop, stopped := make(chan struct{}), make(chan struct{})
	measure := func() (processes int) {
		folders, _ := filepath.Glob("/proc/[0-9]*")
		for _, folder := range folders {
			line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
			if err != nil || !strings.Contains(string(line), own.Dir) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(folder, "smaps_rollup"))
			if err != nil {
				continue // ended meanwhile
			}
			_, rest, _ := strings.Cut(string(text), "\nPss:")
			var kB int64
			if _, err := fmt.Sscan(rest, &kB); err != nil {
				continue
			}
			processes++
			if kB<<10 > most.Load() {
				most.Store(kB << 10)
				whose.Store(strings.ReplaceAll(string(line), "\x00", " "))
			}
		}
		return processes
	}
	if n := measure(); n < 3 {
		t.Fatalf("%d processes of the server can be measured, want the supervisor, a web worker and a handler", n)
	}
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				measure()
			}
		}
	}()
	return func() {
		t.Helper()
		close(stop)
		<-stopped
		t.Logf("the most memory of a process: %d MiB, of %v", most.Load()>>20, whose.Load())
		if most.Load() > largeMemory {
			t.Errorf("a process used %d MiB, want at most %d: %v", most.Load()>>20, largeMemory>>20, whose.Load())
		}
	}
}
