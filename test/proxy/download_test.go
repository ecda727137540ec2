package proxy

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"orrery/internal/testenv"
)

// BenchmarkDownload downloads 1 GB through nginx, sent by nginx and by the server, and tells what that costs the web worker:
//
//	go test ./test/proxy -run '^$' -bench Download -benchtime 3x
func BenchmarkDownload(b *testing.B) {
	for _, name := range []string{"by nginx", "by the server"} {
		b.Run(name, func(b *testing.B) {
			more := map[string]any{}
			if name == "by the server" {
				more["nginx_x_accel_redirect_base"] = ""
			}
			server := serverFor(b, "nginx", "http", more)
			proxy := readSite(b, "nginx-unix.conf").start(server)
			p := through(b, proxy.Client(), address)
			p.register("downloader")
			dataset := p.made("/api/tools/fetch", map[string]any{"history_id": p.history(), "targets": []any{map[string]any{
				"destination": map[string]any{"type": "hdas"}, "elements": []any{map[string]any{"src": "pasted", "paste_content": "x\n", "name": "big", "ext": "txt"}},
			}}})
			p.ok(dataset)
			files, err := filepath.Glob(filepath.Join(server.DataDir, "objects", "*", "*", "*", "*.dat"))
			if err != nil || len(files) != 1 {
				b.Fatalf("the dataset's file: %v %v", files, err)
			}
			const size = 1 << 30
			if err := os.Truncate(files[0], size); err != nil { // with a hole, so that no disk is measured
				b.Fatal(err)
			}
			pid, err := server.PID("main.1")
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			before := usage(b, pid)
			for b.Loop() {
				request, err := http.NewRequestWithContext(b.Context(), "GET", address+"/api/datasets/"+dataset+"/display?to_ext=data", nil)
				if err != nil {
					b.Fatal(err)
				}
				request.Header.Set("X-Api-Key", testenv.AdminKey)
				response, err := p.client.Do(request)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if err != nil || n != size {
					b.Fatalf("%d bytes, %v", n, err)
				}
			}
			after := usage(b, pid)
			b.ReportMetric(float64((after.cpu-before.cpu).Milliseconds())/float64(b.N), "worker-CPU-ms/op")
			b.ReportMetric(float64(after.peak-before.resident)/1024, "worker-MB-more")
		})
	}
}

type used struct {
	cpu            time.Duration
	resident, peak int64 // kB
}

// usage reads what a process has used, and forgets its peak of memory until now.
func usage(t testing.TB, pid int) (u used) {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	stat := read("stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	for line := range strings.Lines(read("status")) {
		for name, value := range map[string]*int64{"VmRSS:": &u.resident, "VmHWM:": &u.peak} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				if _, err := fmt.Sscan(rest, value); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	return u
}
