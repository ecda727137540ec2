package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestAHandlerAndItsJobsGiveWay(t *testing.T) {
	if os.Getenv("ORRERY_TEST_GIVE_WAY") == "" { // a process of its own: a priority cannot be taken back
		cmd := exec.Command(os.Args[0], "-test.run=^TestAHandlerAndItsJobsGiveWay$", "-test.v")
		cmd.Env = append(os.Environ(), "ORRERY_TEST_GIVE_WAY=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	before, err := exec.Command("nice").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := giveWay(); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(before))
	if want == "0" {
		want = "5"
	}
	after, err := exec.Command("nice").Output()
	if got := strings.TrimSpace(string(after)); err != nil || got != want {
		t.Errorf("a child has nice %s, %v; want %s", got, err, want)
	}
}
