package proxy

import (
	"strings"
	"testing"
)

// prefix is where the documents put a server that has not the whole site to itself.
const prefix = "/galaxy"

// TestPrefix changes the sites by the commands of docs/proxy.md, and then everything has to work below /galaxy. The
// server speaks HTTP and uWSGI's protocol at once.
func TestPrefix(t *testing.T) {
	for _, proxy := range []string{"nginx", "apache"} {
		t.Run(proxy, func(t *testing.T) {
			server := serverFor(t, proxy, "uwsgi", map[string]any{"galaxy_url_prefix": prefix})
			for _, protocol := range []string{"http", "uwsgi"} {
				t.Run(protocol, func(t *testing.T) {
					site := readSite(t, proxy+"-"+protocol+".conf")
					site.underPrefix()
					b := &behind{t: t, server: server, proxy: site.start(server), base: address + prefix}
					b.check(proxy + protocol)
					b.besides()
					if proxy == "nginx" && protocol == "http" {
						b.browse()
					}
				})
			}
		})
	}
}

// besides looks at what is around the prefix.
func (b *behind) besides() {
	t, p := b.t, b.person()
	if a := p.do("GET", address+prefix, nil); a.StatusCode/100 == 3 {
		if to := a.Header.Get("Location"); !strings.HasSuffix(to, prefix+"/") {
			t.Errorf("%s leads to %q", prefix, to)
		}
	} else if a.StatusCode != 200 || !strings.Contains(a.body, `<div id="app">`) {
		t.Errorf("%s answers %s", prefix, a.Status)
	}
	for _, path := range []string{"/api/version", "/galaxyfoo/api/version", "/static/dist/base.css"} {
		if a := p.do("GET", address+path, nil); a.StatusCode == 200 {
			t.Errorf("%s, which is another's, is answered %.100q", path, a.body)
		}
	}
	cookie := b.person().logIn(strings.ReplaceAll(strings.TrimSuffix(t.Name()[strings.Index(t.Name(), "/")+1:], ""), "/", ""))
	if cookie.Path != prefix {
		t.Errorf("the session's cookie is for %q", cookie.Path)
	}
}

// browse opens the client in Chromium: everything it asks for is below the prefix and is there, which the browser checks
// at the end of the test.
func (b *behind) browse() {
	browser := b.proxy.OpenBrowser()
	for _, page := range []string{"/", "/login/start", "/histories/list"} {
		browser.Open(b.base + page)
		browser.See("#masthead")
		browser.Quiet()
		browser.Screenshot("under a prefix " + page)
	}
	asked := browser.Requests()
	if len(asked) < 20 {
		b.t.Errorf("the client asked for %d things only", len(asked))
	}
	for _, request := range asked {
		_, at, _ := strings.Cut(request, " ")
		if strings.HasPrefix(at, "http") && !strings.HasPrefix(at, b.base+"/") {
			b.t.Errorf("the client asks for %s", request)
		}
	}
	b.logged("the client's files to be nginx's own", " upstream=-/-/- GET "+prefix+"/static/dist/libs.bundled.js")
}
