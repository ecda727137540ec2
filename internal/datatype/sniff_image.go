package datatype

import (
	"bytes"
	"strings"
)

// imageRules is by extension; Galaxy recognises images by what its imaging
// library makes of them.
var imageRules = map[string]func(*prefix) bool{
	"pdf":      func(p *prefix) bool { return p.magic("%PDF") },
	"png":      magicRule("\x89PNG\r\n\x1a\n"),
	"jpg":      magicRule("\xff\xd8\xff"),
	"gif":      magicRule("GIF87a", "GIF89a"),
	"bmp":      isBMP,
	"ome.tiff": isOMETiff,
	"tiff":     isTiff,
	"dcm":      func(p *prefix) bool { return bytesAt(p, 128, "DICM") },
	"psd":      magicRule("8BPS"),
	"pcx": func(p *prefix) bool {
		return len(p.header) > 3 && p.header[0] == 10 && p.header[1] <= 5 && p.header[1] != 1 && p.header[2] <= 1 && len(p.header) >= 128
	},
	"ppm": func(p *prefix) bool { return netpbm(p, "36") },
	"pgm": func(p *prefix) bool { return netpbm(p, "25") },
	"pbm": func(p *prefix) bool { return netpbm(p, "14") },
	"xbm": func(p *prefix) bool { return p.startsWith("#define ") && strings.Contains(p.start(200), "_width ") },
	"xpm": func(p *prefix) bool { return p.startsWith("/* XPM */") },
	"eps": func(p *prefix) bool { return p.magic("%!PS") || p.magic("\xc5\xd0\xd3\xc6") },
	"im":  never, "pcd": never, "rgb": never, "rast": never,
	"vms": never, "mrxs": never, "svslide": never, "nrrd": never,
}

func isTiff(p *prefix) bool {
	return (p.magic("MM\x00*") || p.magic("II*\x00")) && !bytesAt(p, 128, "DICM")
}

func isOMETiff(p *prefix) bool {
	return isTiff(p) && bytes.Contains(p.header, []byte("</OME>"))
}

func isBMP(p *prefix) bool {
	return p.magic("BM") && len(p.header) >= 26 && p.header[15] == 0 && (p.header[14] == 12 || p.header[14] >= 40)
}

// netpbm tells the kinds of portable maps by the digit after P.
func netpbm(p *prefix, kinds string) bool {
	return len(p.header) > 2 && p.header[0] == 'P' && strings.IndexByte(kinds, p.header[1]) >= 0 && strings.IndexByte(" \t\r\n", p.header[2]) >= 0
}
