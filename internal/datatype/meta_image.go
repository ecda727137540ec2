package datatype

import (
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
)

// maxPixels bounds the images that are decoded to count their colours, and the
// frames of an animation that are counted.
const maxPixels = 64 << 20

// pictureFacts is what an image's header says.
type pictureFacts struct {
	width, height, channels, frames int
	dtype                           string
}

func imageMeta(f *metaFile) error {
	facts, ok, err := readPicture(f.path)
	if err != nil || !ok {
		return err
	}
	f.setPicture(facts)
	return nil
}

func (f *metaFile) setPicture(p pictureFacts) {
	f.set("width", int64(p.width))
	f.set("height", int64(p.height))
	f.set("depth", int64(0))
	f.set("frames", int64(p.frames))
	f.set("dtype", p.dtype)
	axes, channels := "YX", p.channels
	if channels > 1 {
		axes = "YXC"
	} else {
		channels = 0
	}
	f.set("axes", axes)
	f.set("channels", int64(channels))
}

// readPicture understands PNG, JPEG, GIF and BMP; ok is false for any other
// file, and for one that is damaged.
func readPicture(path string) (pictureFacts, bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return pictureFacts{}, false, err
	}
	defer file.Close()
	var head [64]byte
	n, err := io.ReadFull(file, head[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return pictureFacts{}, false, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return pictureFacts{}, false, err
	}
	h := head[:n]
	p := &prefix{header: h, path: path}
	switch {
	case p.magic("\x89PNG\r\n\x1a\n") && n >= 33:
		facts := pictureFacts{
			width: int(binary.BigEndian.Uint32(h[16:])), height: int(binary.BigEndian.Uint32(h[20:])), frames: 1, dtype: "uint8", channels: 1,
		}
		switch depth, colour := h[24], h[25]; colour {
		case 0:
			if depth == 1 {
				facts.dtype = "bool"
			} else if depth == 16 {
				facts.dtype = "uint16"
			}
		case 2:
			facts.channels = 3
		case 3:
		case 4:
			facts.channels = 2
			if depth == 16 {
				facts.channels = 4
			}
		case 6:
			facts.channels = 4
		default:
			return facts, false, nil
		}
		return facts, true, nil
	case p.magic("\xff\xd8\xff"):
		c, err := jpeg.DecodeConfig(file)
		if err != nil {
			return pictureFacts{}, false, nil
		}
		facts := pictureFacts{width: c.Width, height: c.Height, channels: 3, dtype: "uint8"}
		switch c.ColorModel {
		case color.GrayModel:
			facts.channels = 1
		case color.CMYKModel:
			facts.channels = 4
		}
		return facts, true, nil
	case p.magic("GIF8"):
		c, err := gif.DecodeConfig(file)
		if err != nil {
			return pictureFacts{}, false, nil
		}
		facts := pictureFacts{width: c.Width, height: c.Height, channels: 1, dtype: "uint8", frames: 1}
		if frames, err := gifFrames(path); err == nil {
			facts.frames = max(frames, 1)
		}
		return facts, true, nil
	case isBMP(p) && n >= 30 && h[14] >= 40:
		height := int(int32(binary.LittleEndian.Uint32(h[22:])))
		if height < 0 {
			height = -height
		}
		facts := pictureFacts{width: int(int32(binary.LittleEndian.Uint32(h[18:]))), height: height, channels: 1, dtype: "uint8"}
		switch binary.LittleEndian.Uint16(h[28:]) {
		case 1:
			facts.dtype = "bool"
		case 16, 24, 32:
			facts.channels = 3
		}
		return facts, true, nil
	}
	return pictureFacts{}, false, nil
}

// gifFrames counts the images of a GIF file by walking its blocks.
func gifFrames(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	in := newByteWalker(file)
	head := in.take(13)
	if len(head) < 13 {
		return 0, in.err
	}
	if head[10]&0x80 != 0 {
		in.skip(3 << (head[10]&7 + 1))
	}
	frames := 0
	for in.err == nil {
		switch b := in.take(1); {
		case len(b) == 0 || b[0] == 0x3b:
			return frames, nil
		case b[0] == 0x2c:
			d := in.take(9)
			if len(d) < 9 {
				return frames, nil
			}
			frames++
			if d[8]&0x80 != 0 {
				in.skip(3 << (d[8]&7 + 1))
			}
			in.skip(1)
			in.skipBlocks()
		case b[0] == 0x21:
			in.skip(1)
			in.skipBlocks()
		}
	}
	return frames, nil
}

// pngMeta counts the different values that the samples of the picture have.
func pngMeta(f *metaFile) error {
	facts, ok, err := readPicture(f.path)
	if err != nil || !ok {
		return err
	}
	f.setPicture(facts)
	if facts.dtype != "uint8" || facts.width <= 0 || facts.height <= 0 || facts.width > maxPixels/facts.height {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	img, err := png.Decode(file)
	if err != nil {
		return nil // its header is right: the rest is for whoever opens it
	}
	if n, ok := distinctSamples(img); ok {
		f.set("num_unique_values", n)
	}
	return nil
}

func distinctSamples(img image.Image) (int64, bool) {
	var seen [256]bool
	mark := func(pix []byte, stride, width, height int) {
		for y := range height {
			for _, v := range pix[y*stride : y*stride+width] {
				seen[v] = true
			}
		}
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	switch m := img.(type) {
	case *image.Gray:
		mark(m.Pix, m.Stride, w, h)
	case *image.RGBA:
		// Without transparency: the fourth sample is not in the file.
		for y := range h {
			for x := range w {
				p := m.Pix[y*m.Stride+4*x:]
				seen[p[0]], seen[p[1]], seen[p[2]] = true, true, true
			}
		}
	case *image.NRGBA:
		mark(m.Pix, m.Stride, 4*w, h)
	case *image.Paletted:
		var used [256]bool
		for y := range h {
			for _, v := range m.Pix[y*m.Stride : y*m.Stride+w] {
				used[v] = true
			}
		}
		alpha := false
		for _, c := range m.Palette {
			if _, _, _, a := c.RGBA(); a != 0xffff {
				alpha = true
			}
		}
		for i, c := range m.Palette {
			if used[i] {
				n := color.NRGBAModel.Convert(c).(color.NRGBA)
				seen[n.R], seen[n.G], seen[n.B] = true, true, true
				if alpha {
					seen[n.A] = true
				}
			}
		}
	default:
		return 0, false
	}
	n := int64(0)
	for _, s := range seen {
		if s {
			n++
		}
	}
	return n, true
}

// tiffMeta reads the size and kind of samples of the first image of a TIFF file.
func tiffMeta(f *metaFile) error {
	p, err := readPrefix(f.path)
	if err != nil {
		return err
	}
	if !isTiff(p) || len(p.header) < 8 {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if p.header[0] == 'M' {
		order = binary.BigEndian
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	at := int64(order.Uint32(p.header[4:]))
	var count [2]byte
	if _, err := file.ReadAt(count[:], at); err != nil {
		return nil
	}
	entries := make([]byte, 12*int(order.Uint16(count[:])))
	if n, err := file.ReadAt(entries, at+2); n < len(entries) && err != nil {
		return nil
	}
	tags := map[uint16]int64{258: 1, 277: 1, 339: 1}
	for e := entries; len(e) >= 12; e = e[12:] {
		tag, typ, n := order.Uint16(e), order.Uint16(e[2:]), order.Uint32(e[4:])
		switch {
		case typ == 3 && n <= 2:
			tags[tag] = int64(order.Uint16(e[8:]))
		case typ == 3:
			var b [2]byte
			if _, err := file.ReadAt(b[:], int64(order.Uint32(e[8:]))); err == nil {
				tags[tag] = int64(order.Uint16(b[:]))
			}
		case typ == 4 && n == 1:
			tags[tag] = int64(order.Uint32(e[8:]))
		}
	}
	kinds := map[int64]map[int64]string{
		1: {1: "bool", 8: "uint8", 16: "uint16", 32: "uint32", 64: "uint64"},
		2: {8: "int8", 16: "int16", 32: "int32", 64: "int64"},
		3: {16: "float16", 32: "float32", 64: "float64"},
	}
	dtype, ok := kinds[tags[339]][tags[258]]
	if !ok || tags[256] == 0 || tags[257] == 0 {
		return nil
	}
	axes, channels := "YX", int64(0)
	if tags[277] > 1 {
		axes, channels = "YXS", tags[277]
	}
	f.set("axes", axes)
	f.set("dtype", dtype)
	f.set("width", tags[256])
	f.set("height", tags[257])
	f.set("channels", channels)
	f.set("depth", int64(0))
	f.set("frames", int64(0))
	return nil
}
