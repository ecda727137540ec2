package jobhandler

// Point is a step on a job's way at which a test lets the process die or pause.
type Point string

// The steps, in their order.
const (
	AfterClaim       Point = "after-claim"
	AfterDestination Point = "after-destination"
	AfterFolder      Point = "after-folder"
	AfterScript      Point = "after-script"
	BeforeSubmit     Point = "before-submit"
	AfterSubmit      Point = "after-submit" // before it is written down
	AfterStart       Point = "after-start"
	AfterEnd         Point = "after-end"
	AfterCollect     Point = "after-collect"
	AfterFinish      Point = "after-finish" // before the folder is removed
)

// Points lists all steps.
var Points = []Point{AfterClaim, AfterDestination, AfterFolder, AfterScript, BeforeSubmit, AfterSubmit, AfterStart, AfterEnd, AfterCollect, AfterFinish}

// fault is what a test, or a program built with the tag «faults», does at a step;
// nil otherwise. It is set before any handler runs.
var fault func(at Point, job int64)

func reached(at Point, job int64) {
	if fault != nil {
		fault(at, job)
	}
}
