package datatype

import (
	"regexp"
	"strings"
)

// Rules for molecules and spectra.
var chemistryRules = map[string]func(*prefix) bool{
	"molecules.SDF":         isSDF,
	"molecules.MOL2":        func(p *prefix) bool { return hasLine(p, "@<TRIPOS>MOLECULE", 59) },
	"molecules.FPS":         func(p *prefix) bool { return pyStrip(firstField2(p)) == "#FPS1" },
	"molecules.PDB":         func(p *prefix) bool { return hasSections(p, "HEADER", "TITLE", "COMPND", "SOURCE", "KEYWDS", "EXPDTA") },
	"molecules.PDBQT":       func(p *prefix) bool { return hasSections(p, "REMARK", "ROOT", "ENDROOT", "BRANCH", "TORSDOF") },
	"molecules.PQR":         isPQR,
	"molecules.GRO":         isGRO,
	"molecules.Cell":        isCastepCell,
	"molecules.CIF":         isCIF,
	"molecules.XYZ":         isXYZ,
	"molecules.ExtendedXYZ": isExtendedXYZ,
	"molecules.Magres":      func(p *prefix) bool { return p.startsWith("#$magres-abinitio-v") },
	"molecules.InChI":       isInChI,
	"proteomics.Dta2d":      isDta2d,
	"proteomics.Edta":       isEdta,
	"proteomics.Kroenik":    isKroenik,
	"larch.FEFFInput":       isFEFF,
}

func firstField2(p *prefix) string {
	first, _, _ := strings.Cut(strings.TrimRight(firstLine(p), "\r\n"), "\t")
	return first
}

func isSDF(p *prefix) bool {
	n, end := 0, false
	for line := range p.lines() {
		line = strings.TrimRight(line, "\r\n")
		n++
		switch {
		case n < 4:
		case n == 4:
			if len(line) != 39 || !strings.HasSuffix(line, " V2000") && !strings.HasSuffix(line, " V3000") {
				return false
			}
		case !end:
			end = line == "M  END"
		case line == "$$$$":
			return true
		}
		if n == 10000 {
			break
		}
	}
	return false
}

func hasSections(p *prefix, names ...string) bool {
	if !containsAll(p.text, names...) {
		return false
	}
	seen := map[string]bool{}
	for f := range p.rows(" ", 300, "") {
		seen[pyStrip(f[0])] = true
	}
	for _, n := range names {
		if !seen[n] {
			return false
		}
	}
	return true
}

var pqrAtom = regexp.MustCompile(`^(ATOM|HETATM) +-?\d+ +[A-Z0-9'*+-]+ +[A-Z0-9+-]{1,4} +([A-Z0-9] +)?-?\d+[A-Z]?( +[-+]?\d*\.\d+){3}( +[-+]?\d+\.\d*){2}$`)

func isPQR(p *prefix) bool {
	if !strings.Contains(p.text, "REMARK") {
		return false
	}
	remark := false
	atom := false
	for f := range p.rows("", 3000, "REMARK   5") {
		if len(f) == 0 {
			return false
		}
		switch f[0] {
		case "REMARK":
			remark = true
		case "ATOM", "HETATM":
			if !atom && pqrAtom.MatchString(strings.Join(f, " ")) {
				return remark
			}
		}
	}
	return false
}

var groRow = regexp.MustCompile(`^[0-9 ]{5}[a-zA-Z0-9 ]{10}[0-9 ]{5}([0-9 -]{4}\.[0-9]{3}){3}`)

func isGRO(p *prefix) bool {
	second := cursor{p.text}
	second.line()
	if line, _ := second.line(); !isInt(line) {
		return false
	}
	h := p.headRows("\n", 300, "")
	if len(h) < 2 || !isInt(h[1][0]) {
		return false
	}
	for i := 2; i < len(h)-1; i++ {
		if !groRow.MatchString(h[i][0]) {
			return false
		}
	}
	return true
}

func isCastepCell(p *prefix) bool {
	open := false
	for line := range p.lines() {
		if line[0] != '%' {
			continue
		}
		l := strings.ToLower(line)
		if strings.HasPrefix(l, "%block") {
			open = true
		} else if open && strings.HasPrefix(l, "%endblock") {
			return true
		}
	}
	return false
}

func isCIF(p *prefix) bool {
	if p.startsWith(`#\#CIF_`) {
		return true
	}
	for line := range p.lines() {
		if pyStrip(line) == "" || line[0] == '#' {
			continue
		}
		return strings.HasPrefix(line, "data_") && strings.Contains(p.text, "_atom_site_fract_")
	}
	return false
}

const elementSymbols = " H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo " +
	"Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At " +
	"Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og "

// isXYZ accepts blocks of a number of atoms, a comment and that many atoms;
// the last block may be cut off, the first may not.
func isXYZ(p *prefix) bool {
	c := cursor{p.text}
	if p.truncated {
		c.rest = p.text[:strings.LastIndexByte(p.text, '\n')+1]
	}
	c.rest = strings.TrimRightFunc(c.rest, pySpace)
	blocks := 0
	for c.rest != "" {
		line, _ := c.line()
		n, ok := toInt(line)
		if !ok {
			return false
		}
		if _, ok := c.line(); !ok {
			return blocks > 0
		}
		for range n {
			atom, ok := c.line()
			if !ok {
				return blocks > 0
			}
			f := pyFields(atom)
			if len(f) == 0 {
				return false
			}
			symbol := strings.ToUpper(f[0][:1]) + strings.ToLower(f[0][1:])
			if !strings.Contains(elementSymbols, " "+symbol+" ") || !allFloats(f[1:min(4, len(f))]) {
				return false
			}
		}
		blocks++
	}
	return blocks > 0
}

var xyzProperties = regexp.MustCompile(`Properties="?[a-zA-Z0-9:]+"?`)

func isExtendedXYZ(p *prefix) bool {
	c := cursor{p.text}
	c.line()
	comment, _ := c.line()
	return xyzProperties.MatchString(comment)
}

func isInChI(p *prefix) bool {
	if !p.startsWith("InChI=") {
		return false
	}
	found := false
	for f := range p.rows(" ", 10, "") {
		if !strings.HasPrefix(f[0], "InChI=") {
			return false
		}
		found = true
	}
	return found
}

func notNegative(f []string) bool {
	for _, s := range f {
		if v, ok := toFloat(s); !ok || v < 0 {
			return false
		}
	}
	return true
}

func isDta2d(p *prefix) bool {
	if !strings.HasPrefix(p.text, "#") {
		return false // a file without headings is no Dta2d
	}
	sep := ""
	for line := range p.lines() {
		line = pyStrip(line)
		first := sep == ""
		if first {
			switch {
			case strings.Count(line, " ") == 2:
				sep = " "
			case strings.Count(line, "\t") == 2:
				sep = "\t"
			default:
				return false
			}
		}
		f := strings.Split(line, sep)
		if len(f) != 3 {
			return false
		}
		if !first {
			if !notNegative(f) {
				return false
			}
			continue
		}
		has := map[string]bool{}
		for _, s := range f {
			has[pyStrip(strings.TrimLeft(s, "#"))] = true
		}
		if !has["MZ"] || !has["INT"] || !has["MIN"] && !has["SEC"] {
			return false
		}
	}
	return sep != ""
}

func isEdta(p *prefix) bool {
	sep, width := "", 3
	for line := range p.lines() {
		line = strings.Trim(line, "\r\n")
		if sep != "" {
			if f := strings.Split(line, sep); !notNegative(f[:min(width, len(f))]) {
				return false
			}
			continue
		}
		switch {
		case strings.Count(line, " ") >= 2:
			sep = " "
		case strings.Count(line, "\t") >= 2:
			sep = "\t"
		default:
			return false
		}
		f := strings.Split(strings.ReplaceAll(strings.ToLower(line), "/", ""), sep)
		if f[0] != "rt" || f[1] != "mz" || f[2] != "int" && f[2] != "intensity" {
			return false
		}
		if len(f) > 3 {
			if f[3] != "charge" || len(f) == 4 {
				return false
			}
			width = 4
		}
	}
	return sep != ""
}

func isKroenik(p *prefix) bool {
	if !hasHeadings(p, []string{
		"File", "First Scan", "Last Scan", "Num of Scans", "Charge", "Monoisotopic Mass", "Base Isotope Peak", "Best Intensity",
		"Summed Intensity", "First RTime", "Last RTime", "Best RTime", "Best Correlation", "Modifications",
	}) {
		return false
	}
	c := cursor{p.text}
	c.line()
	line, _ := c.line()
	f := strings.Split(line, "\t")
	return len(f) > 12 && allInts(f[1:5]) && allFloats(f[5:13])
}

func isFEFF(p *prefix) bool {
	if p.startsWith("* This FEFF.inp file generated by pymatgen") {
		return true
	}
	section := ""
	for line := range p.lines() {
		line = pyStrip(line)
		if section == "" {
			if line == "POTENTIALS" || line == "ATOMS" {
				section = line
			}
			continue
		}
		if !strings.HasPrefix(line, "*") {
			return false
		}
		f := pyFields(line[1:])
		if section == "ATOMS" {
			return len(f) >= 4 && strings.Join(f[:4], " ") == "x y z ipot"
		}
		return len(f) >= 2 && (f[0] == "potential-index" || f[0] == "ipot") && f[1] == "Z"
	}
	return false
}
