package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var chromium = component{
	name: "Chromium", packages: []string{"chromium"},
	find: onPath("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
}

// Browser is a Chromium with one tab, which watches over what goes wrong in it.
type Browser struct {
	Context   context.Context // for chromedp.Run
	Downloads string          // the folder downloads are saved in, under the names the server proposes

	t       testing.TB
	mu      sync.Mutex
	allowed []*regexp.Regexp
	failed  []string
	urls    map[network.RequestID]string
	open    map[network.RequestID]cdp.LoaderID // requests under way, and the page they are of
	asked   []string
	shots   int
	shotDir string
	names   map[string]string
	latest  chan string
}

// OpenBrowser starts Chromium without a window. allowed are regular expressions of failures that are none, matched
// against lines such as «GET http://127.0.0.1:1234/api/x answers 403».
//
// At the end of the test it is closed, and any page error, error in the console or failed request fails the test.
func OpenBrowser(t testing.TB, allowed ...string) *Browser {
	t.Helper()
	return openBrowser(t, nil, allowed)
}

// OpenBrowser is the function of that name for a browser to which a proxy is the site SiteName, whose certificate it
// takes.
func (p *WebProxy) OpenBrowser(allowed ...string) *Browser {
	p.t.Helper()
	rule := func(port, to int) string { return fmt.Sprintf("MAP %s:%d 127.0.0.1:%d", SiteName, port, to) }
	return openBrowser(p.t, []chromedp.ExecAllocatorOption{
		chromedp.Flag("host-resolver-rules", rule(80, p.HTTP)+","+rule(443, p.HTTPS)), chromedp.Flag("ignore-certificate-errors", true),
	}, allowed)
}

func openBrowser(t testing.TB, more []chromedp.ExecAllocatorOption, allowed []string) *Browser {
	t.Helper()
	external(t)
	program := need(t, chromium)
	b := &Browser{
		t: t, urls: make(map[network.RequestID]string), open: make(map[network.RequestID]cdp.LoaderID), Downloads: t.TempDir(),
		names: make(map[string]string), latest: make(chan string, 16),
	}
	for _, pattern := range allowed {
		b.allowed = append(b.allowed, regexp.MustCompile(pattern))
	}
	b.shotDir = os.Getenv("ORRERY_SCREENSHOTS")
	if b.shotDir == "" {
		b.shotDir = t.TempDir()
	}
	b.shotDir = filepath.Join(b.shotDir, strings.ReplaceAll(t.Name(), "/", "_"))
	if err := os.MkdirAll(b.shotDir, 0o755); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.WindowSize(1440, 1000), chromedp.Flag("lang", "en-US"),
		chromedp.WSURLReadTimeout(time.Minute))
	if os.Getuid() == 0 { // Chromium refuses its sandbox to root
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b.Context = tab
	if err := b.watch(tab); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	t.Cleanup(func() {
		for _, failure := range b.Failures() {
			t.Errorf("in the browser: %s", failure)
		}
		if t.Failed() {
			t.Logf("screenshots: set ORRERY_SCREENSHOTS to a folder to keep them")
		}
	})
	return b
}

// watch starts the browser and lets it tell what happens.
func (b *Browser) watch(tab context.Context) error {
	if err := chromedp.Do(tab); err != nil {
		return err
	}
	if err := errors.Join(chromedp.Listen(tab, b.observe), chromedp.ListenBrowser(tab, b.observe)); err != nil {
		return err
	}
	_, err1 := chromedp.Call(tab, network.Enable, network.EnableParams{})
	_, err2 := chromedp.Call(tab, runtime.Enable, cdp.Empty{})
	_, err3 := chromedp.Call(tab, cdplog.Enable, cdp.Empty{})
	events := true
	_, err4 := chromedp.CallBrowser(tab, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: b.Downloads, EventsEnabled: &events,
	})
	return errors.Join(err1, err2, err3, err4)
}

// observe is called in the order of the events, and must not wait.
func (b *Browser) observe(event any) {
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		details := event.ExceptionDetails
		text := details.Text
		if details.Exception != nil {
			text += " " + details.Exception.Description
		}
		b.fail("page error: " + text)
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeAssert {
			var words []string
			for _, argument := range event.Args {
				switch {
				case argument.Description != "":
					words = append(words, argument.Description)
				default:
					var text string
					if json.Unmarshal(argument.Value, &text) != nil {
						text = string(argument.Value)
					}
					words = append(words, text)
				}
			}
			b.fail("console error: " + strings.Join(words, " "))
		}
	case *cdplog.EventEntryAdded:
		// Failed requests are told by the network's events, in more detail.
		if event.Entry.Level == cdplog.EntryLevelError && event.Entry.Source != cdplog.EntrySourceNetwork {
			b.fail("browser error: " + event.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		b.mu.Lock()
		b.urls[event.RequestID] = event.Request.Method + " " + event.Request.URL
		if event.Type == network.ResourceTypeXHR || event.Type == network.ResourceTypeFetch {
			b.open[event.RequestID] = event.LoaderID // of others, such as a worker's, the end is not always told
		}
		if len(b.asked) < 10_000 {
			b.asked = append(b.asked, b.urls[event.RequestID])
		}
		b.mu.Unlock()
	case *network.EventLoadingFinished:
		b.answered(event.RequestID)
	case *network.EventResponseReceived:
		if event.Response.Status >= 400 {
			b.fail(fmt.Sprintf("%s answers %d", b.request(event.RequestID, event.Response.URL), event.Response.Status))
		}
	case *network.EventLoadingFailed:
		b.answered(event.RequestID)
		// A page that is left cancels what it still asked for.
		if !event.Canceled && event.ErrorText != "net::ERR_ABORTED" {
			b.fail(fmt.Sprintf("%s fails: %s", b.request(event.RequestID, "a request"), event.ErrorText))
		}
	case *page.EventFrameNavigated:
		if event.Frame.ParentID == "" {
			b.left(event.Frame.LoaderID)
		}
	case *page.EventJavascriptDialogOpening:
		go func() { // the page stands still until it is answered
			_, _ = chromedp.Call(b.Context, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}()
	case *browser.EventDownloadWillBegin:
		b.mu.Lock()
		b.names[event.GUID] = event.SuggestedFilename
		b.mu.Unlock()
	case *browser.EventDownloadProgress:
		if event.State == browser.DownloadProgressStateCompleted {
			b.mu.Lock()
			name := b.names[event.GUID]
			b.mu.Unlock()
			select {
			case b.latest <- event.GUID + "\x00" + name:
			default: // nobody waits for it
			}
		}
	}
}

func (b *Browser) answered(id network.RequestID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, id)
}

// forget drops the requests of the page that was left: their end is not told.
func (b *Browser) forget() {
	tree, err := chromedp.Call(b.Context, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		b.t.Fatalf("the browser's page: %v", err)
	}
	b.left(tree.FrameTree.Frame.LoaderID)
}

// left drops the requests of every page but the one that is shown now.
func (b *Browser) left(now cdp.LoaderID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, loader := range b.open {
		if loader != now {
			delete(b.open, id)
		}
	}
}

// Requests are the requests that were made so far, in order, as «GET http://…».
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.asked...)
}

// Quiet waits until the page asks for nothing for half a second.
func (b *Browser) Quiet() {
	b.t.Helper()
	var since time.Time
	var last int
	b.within("the page to be quiet", Patience, func(context.Context) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.open) > 0 || len(b.asked) != last || since.IsZero() {
			since, last = time.Now(), len(b.asked)
		}
		if time.Since(since) < 500*time.Millisecond {
			var open []string
			for id := range b.open {
				open = append(open, b.urls[id])
			}
			return fmt.Errorf("%d requests under way: %s", len(open), strings.Join(open, ", "))
		}
		return nil
	})
}

// Cookies returns the browser's cookies for an address, for requests outside of it.
func (b *Browser) Cookies(address string) http.CookieJar {
	b.t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := chromedp.Call(b.Context, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
	if err != nil {
		b.t.Fatalf("the browser's cookies: %v", err)
	}
	var cookies []*http.Cookie
	for _, cookie := range answer.Cookies {
		cookies = append(cookies, &http.Cookie{Name: cookie.Name, Value: cookie.Value, Path: cookie.Path})
	}
	jar.SetCookies(parsed, cookies)
	return jar
}

func (b *Browser) request(id network.RequestID, otherwise string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.urls[id]; known != "" {
		return known
	}
	return otherwise
}

func (b *Browser) fail(text string) {
	for _, allowed := range b.allowed {
		if allowed.MatchString(text) {
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.failed) < 200 { // a page that fails in a loop
		b.failed = append(b.failed, text)
	}
}

// Failures are what went wrong in the browser so far.
func (b *Browser) Failures() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.failed...)
}

// Do runs actions and fails the test, with a screenshot, when they do not succeed within the time.
func (b *Browser) Do(what string, within time.Duration, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Context, within)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.give(what, err)
	}
}

// give ends the test with what can be known about the page.
func (b *Browser) give(what string, err error) {
	b.t.Helper()
	name := b.Screenshot("failed " + what)
	ctx, cancel := context.WithTimeout(b.Context, 5*time.Second)
	defer cancel()
	text, failed := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 3000) +
		"\nin the history:\n" + (document.querySelector("#current-history-panel")?.innerText.slice(0, 2000) ?? "(it is not there)")`))
	if failed != nil {
		text = "(the page does not answer)"
	}
	requests := b.Requests()
	b.t.Fatalf("%s: %v\nscreenshot %s\nthe page says:\n%s\nthe last requests:\n%s", what, err, name, text,
		strings.Join(requests[max(0, len(requests)-40):], "\n"))
}

// Screenshot saves a picture of the page and returns the file's name. Where to is said by ORRERY_SCREENSHOTS.
func (b *Browser) Screenshot(name string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Context, 15*time.Second)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Logf("no screenshot of «%s»: %v", name, err)
		return ""
	}
	b.shots++
	name = regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-")
	file := filepath.Join(b.shotDir, fmt.Sprintf("%02d-%s.png", b.shots, name))
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		b.t.Errorf("screenshot: %v", err)
	}
	return file
}

// Download waits for the download that a click has started and returns the name that the server proposed, and the file.
func (b *Browser) Download(within time.Duration) (name, file string) {
	b.t.Helper()
	select {
	case done := <-b.latest:
		guid, name, _ := strings.Cut(done, "\x00")
		return name, filepath.Join(b.Downloads, guid)
	case <-time.After(within):
		b.t.Fatalf("no download was finished within %v", within)
		return "", ""
	}
}
