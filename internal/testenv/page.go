package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// An element is named by a CSS selector, optionally followed by « has » and a text: the first visible element that the
// selector matches and whose text contains it, e.g. `button has Save`. Frames of the
// same site are looked into, too.

// finder is the JavaScript that finds an element by such a name, and only where a person could see it.
const finder = `(name => {
	const [css, text] = name.split(" has ");
	const roots = [document];
	for (const frame of document.querySelectorAll("iframe")) {
		try { if (frame.contentDocument) roots.push(frame.contentDocument); } catch (e) { /* another site's */ }
	}
	for (const root of roots) {
		for (const e of root.querySelectorAll(css)) {
			const box = e.getBoundingClientRect();
			if (e.type !== "file" && (box.width === 0 || box.height === 0)) continue;
			const said = (e.innerText || e.value || e.title || e.getAttribute("aria-label") || "");
			if (text === undefined || said.includes(text)) return e;
		}
	}
	return null;
})`

func element(name string) string {
	text, err := json.Marshal(name)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return finder + "(" + string(text) + ")"
}

// Patience is how long a step of a page may take.
const Patience = 60 * time.Second

// Until waits until a JavaScript expression is true; the page may be replaced meanwhile.
func (b *Browser) Until(what, expression string) {
	b.t.Helper()
	b.Await(what, Patience, expression)
}

// Await is Until for what may take another time, such as a job.
func (b *Browser) Await(what string, within time.Duration, expression string) {
	b.t.Helper()
	b.within(what, within, func(ctx context.Context) error {
		truth, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && !truth {
			err = errors.New("not so yet")
		}
		return err
	})
}

func (b *Browser) within(what string, within time.Duration, try func(ctx context.Context) error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Context, within)
	defer cancel()
	if err := poll(ctx, nil, func() error { return try(ctx) }); err != nil {
		b.give(what, err)
	}
}

// See waits until an element is there and visible.
func (b *Browser) See(name string) {
	b.t.Helper()
	b.Until("to see «"+name+"»", element(name))
}

// Shows tells whether an element comes to be visible within a time.
func (b *Browser) Shows(name string, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(b.Context, within)
	defer cancel()
	return poll(ctx, nil, func() error {
		seen, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!"+element(name)))
		if err == nil && !seen {
			err = errors.New("not so yet")
		}
		return err
	}) == nil
}

// Gone waits until no such element is visible.
func (b *Browser) Gone(name string) {
	b.t.Helper()
	b.Until("until «"+name+"» is gone", "!"+element(name))
}

// Text returns the text of an element, as a person sees it.
func (b *Browser) Text(name string) string {
	b.t.Helper()
	var text string
	b.within("the text of «"+name+"»", Patience, func(ctx context.Context) (err error) {
		text, err = chromedp.Run(ctx, chromedp.Evaluate[string]("(e => e.innerText || e.value || '')("+element(name)+")"))
		return err
	})
	return text
}

// Eval returns the value of a JavaScript expression as text.
func (b *Browser) Eval(expression string) string {
	b.t.Helper()
	var text string
	b.within("the value of "+expression, Patience, func(ctx context.Context) (err error) {
		text, err = chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
		return err
	})
	return text
}

// Click waits until an element is there, enabled, at rest and not covered by another, and clicks it with the mouse. A page
// may still move between the look and the click, so the page itself says whether the element got it; if not, it is
// clicked again.
func (b *Browser) Click(name string) {
	b.t.Helper()
	b.settle()
	var last [2]float64
	b.within("click «"+name+"»", Patience, func(ctx context.Context) error {
		type place struct {
			X, Y float64
			Why  string
		}
		at, err := chromedp.Run(ctx, chromedp.Evaluate[place](`(e => {
			if (!e) return {why: "it is not there"};
			if (e.disabled || e.getAttribute("aria-disabled") === "true" || e.classList.contains("disabled")) return {why: "it is disabled"};
			const inside = (a, b) => b && (a === b || a.contains(b) || b.contains(a));
			let box = e.getBoundingClientRect();
			const view = e.ownerDocument.defaultView;
			if (box.top < 0 || box.left < 0 || box.bottom > view.innerHeight || box.right > view.innerWidth) {
				e.scrollIntoView({block: "center", inline: "center"});
				box = e.getBoundingClientRect();
			}
			const x = box.left + box.width / 2, y = box.top + box.height / 2;
			const top = e.ownerDocument.elementFromPoint(x, y);
			if (!inside(e, top)) return {why: "it is covered by " + (top ? top.outerHTML.slice(0, 200) : "nothing")};
			const frame = view.frameElement ? view.frameElement.getBoundingClientRect() : {left: 0, top: 0};
			view.top.wasHit = undefined;
			e.ownerDocument.addEventListener("pointerdown", hit => { view.top.wasHit = inside(e, hit.target); }, {capture: true, once: true});
			return {x: x + frame.left, y: y + frame.top, why: ""};
		})(`+element(name)+`)`))
		switch {
		case err != nil:
			return err
		case at.Why != "":
			return errors.New(at.Why)
		}
		if here := [2]float64{at.X, at.Y}; here != last {
			last = here
			return errors.New("it is moving")
		}
		if err := chromedp.Do(ctx, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
			return err
		}
		missed, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("window.wasHit === false"))
		if err == nil && missed {
			return errors.New("another element got the click")
		}
		return nil // a click may have led to another page, which knows nothing of it
	})
}

// settle waits until the page has the answers it asked for: what they change would move under the mouse. A page that
// always asks for something is not waited for longer than a person would.
func (b *Browser) settle() {
	since := time.Now()
	for began := since; time.Since(began) < 5*time.Second && time.Since(since) < 100*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		b.mu.Lock()
		if len(b.open) > 0 {
			since = time.Now()
		}
		b.mu.Unlock()
	}
}

// Fill replaces what stands in a text field by typing.
func (b *Browser) Fill(name, text string) {
	b.t.Helper()
	b.Click(name)
	b.within("empty «"+name+"»", Patience, func(ctx context.Context) error {
		return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void]("(e => { e.focus(); e.select ? e.select() : 0; })("+element(name)+")"))
	})
	b.Do("type into «"+name+"»", Patience, chromedp.KeyEvent(text))
	if !strings.ContainsAny(text, "\r\t") {
		want, err := json.Marshal(text)
		if err != nil {
			panic(err)
		}
		b.Until(fmt.Sprintf("«%s» to hold what was typed", name), "("+element(name)+" || {}).value === "+string(want))
	}
}

// Open goes to an address.
func (b *Browser) Open(address string) {
	b.t.Helper()
	b.Do("open "+address, Patience, chromedp.Navigate(address))
	b.forget()
}
