package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// generateTools writes tool files of about the size of Galaxy's, for a bench without a Galaxy checkout.
func generateTools(dir string, n int) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	macros := `<macros><xml name="strand"><param name="strand" type="select" label="Strand"><option value="+">forward</option>` +
		`<option value="-">reverse</option></param></xml></macros>`
	if err := os.WriteFile(filepath.Join(dir, "macros.xml"), []byte(macros), 0o644); err != nil {
		return nil, err
	}
	files := make([]string, n)
	for i := range n {
		files[i] = filepath.Join(dir, fmt.Sprintf("tool_%03d.xml", i))
		if err := os.WriteFile(files[i], []byte(generatedTool(i)), 0o644); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func generatedTool(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<tool id="bench_%d" name="Generated %d" version="1.%d.0" profile="22.05">
  <description>number %[1]d of many</description>
  <macros><import>macros.xml</import></macros>
  <command><![CDATA[
    head -n $lines
    #if $mode.kind == "strict"
      -q
    #end if
    '$input' > '$output'
  ]]></command>
  <inputs>
    <param name="input" type="data" format="tabular,bed" label="Dataset"/>
    <param name="lines" type="integer" value="10" min="1" label="Lines"/>
    <expand macro="strand"/>
    <conditional name="mode">
      <param name="kind" type="select" label="Mode"><option value="loose">loose</option><option value="strict">strict</option></param>
      <when value="loose"/>
      <when value="strict">
`, n, n, n)
	for i := range 3 + n%5 {
		fmt.Fprintf(&b, "        <param name=\"p%d\" type=\"float\" value=\"0.%d\" label=\"Parameter %d\" help=\"What this does is explained below.\"/>\n", i, i, i)
	}
	b.WriteString(`      </when>
    </conditional>
  </inputs>
  <outputs><data name="output" format_source="input" label="${tool.name} on ${on_string}"/></outputs>
  <tests><test><param name="input" value="1.bed"/><output name="output" file="1.bed"/></test></tests>
  <help><![CDATA[
**What it does**

`)
	for i := range 10 + n%20 {
		fmt.Fprintf(&b, "Line %d of a description of average length that says what tool number %d does with its data.\n", i, n)
	}
	b.WriteString("  ]]></help>\n</tool>\n")
	return b.String()
}
