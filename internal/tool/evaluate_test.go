package tool

import (
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

const anyInputs = `<inputs>
  <param name="file" type="data" format="txt"/>
  <param name="table" type="data" format="tabular" optional="true"/>
  <param name="many" type="data" format="tabular,txt" multiple="true" optional="true"/>
  <param name="text" type="text" value="plain"/>
  <param name="raw" type="text" value=""><sanitizer><valid initial="string.printable"><remove value="'"/></valid><mapping initial="none"><add source="'" target="'&quot;'&quot;'"/></mapping></sanitizer></param>
  <param name="number" type="integer" value="3" min="0" max="100"/>
  <param name="ratio" type="float" value="0.5"/>
  <param name="maybe" type="integer" optional="true"/>
  <param name="flag" type="boolean" truevalue="--yes" falsevalue=""/>
  <param name="choice" type="select"><option value="a">First</option><option value="b" selected="true">Second</option></param>
  <param name="several" type="select" multiple="true"><option value="x">X</option><option value="y">Y</option><option value="z">Z</option></param>
  <param name="column" type="data_column" data_ref="table" optional="true"/>
  <param name="hidden" type="hidden" value="h"/>
  <param name="color" type="color" value="#FF0011" rgb="true"/>
  <conditional name="cond"><param name="mode" type="select"><option value="one">1</option><option value="two">2</option></param>
    <when value="one"><param name="inner" type="text" value="deep"/></when><when value="two"><param name="other" type="data" format="txt"/></when></conditional>
  <repeat name="rep" title="Rep"><param name="item" type="text" value=""/></repeat>
  <section name="sec" title="Sec"><param name="level" type="integer" value="9"/></section>
</inputs>`

func TestCommandsAreMadeAsGalaxyMakesThem(t *testing.T) {
	base := func(more map[string]any) map[string]any {
		in := map[string]any{"file": hda(1)}
		for k, v := range more {
			in[k] = v
		}
		return in
	}
	tests := []struct {
		name, command string
		inputs        map[string]any
		want          string
	}{
		{"paths", `cat '$file' > '$out'`, nil, "cat '/data/dataset_1.dat' > '/data/out_out.dat'"},
		{"lines are stripped and joined", "\n  a\n\n    b  \n\tc\r\n", nil, "a  b c"},
		{"default text", `echo '$text'`, nil, "echo 'plain'"},
		{"text is cleaned", `echo '$text'`, map[string]any{"text": "a'b\"c;d$e`f@g#h\n"}, "echo 'a__sq__b__dq__cXdXeXf__at__g__pd__h__cn__'"},
		{"own sanitizer", `echo '$raw'`, map[string]any{"raw": "it's $5; `x`"}, `echo 'it'"'"'s $5; ` + "`x`'"},
		{"dataset's name is cleaned", `ln -s '$file.name'`, nil, "ln -s 'it__sq__s X(text)'"},
		{"numbers are numbers", `#if $number > 2 and $number + 1 == 4#yes#else#no#end if# $number $ratio`, nil, "yes 3 0.5"},
		{"text does not equal a number", `#if $text == 3#yes#else#no#end if#`, map[string]any{"text": "3"}, "no"},
		{"optional number", `#if str($maybe)#set#else#unset#end if# #if $maybe == ''#empty#end if#`, nil, "unset empty"},
		{"boolean", `x $flag #if $flag#on#end if# #if $flag == '--yes'#same#end if#`, map[string]any{"flag": true}, "x --yes on same"},
		{"boolean off", `x $flag#if $flag#on#else#off#end if#`, nil, "x off"},
		{"select", `$choice $choice.value $choice.value_label #if $choice == 'b'#is b#end if#`, nil, "b b Second is b"},
		{"multiple select", `$several #for $s in $several#[$s]#end for# #if 'x' in $several#has x#end if#`, map[string]any{"several": []any{"x", "z"}}, "x,z [x][z] has x"},
		{"nothing selected", `$several #if $several#some#else#none#end if# #if $several == ''#empty#end if#`, nil, "None none empty"},
		{"missing dataset", `$table #if $table#given#else#none#end if# $table.ext`, nil, "None none data"},
		{"metadata", `${table.metadata.columns} ${table.metadata.column_types} ${table.metadata.dbkey} #echo int($table.metadata.columns) + 1#`, map[string]any{"table": hda(2)}, "3 str,int,float ? 4"},
		{"datatype", `#if $table.is_of_type('tabular')#tab#end if# #if $table.is_of_type('fasta')#fa#else#no#end if# $table.ext $table.datatype.file_ext`, map[string]any{"table": hda(3)}, "tab no bed bed"},
		{"column", `cut -f $column`, map[string]any{"table": hda(2), "column": "c2"}, "cut -f 2"},
		{"many datasets", `#for $f in $many#$f.hid:$f #end for#$many`, map[string]any{"many": map[string]any{"values": []any{hda(1), hda(2)}}}, "1:/data/dataset_1.dat 2:/data/dataset_2.dat /data/dataset_1.dat,/data/dataset_2.dat"},
		{"no datasets", `#if $many#some#else#none#end if#`, nil, "none"},
		{"conditional", `$cond.mode $cond.inner $cond['inner'] $cond.__current_case__`, nil, "one deep deep 0"},
		{"conditional, short name", `$inner $cond.mode`, nil, "deep one"},
		{"second case", `$cond.mode $cond.other.hid`, map[string]any{"cond|mode": "two", "cond|other": hda(1)}, "two 1"},
		{"repeat", `#for $i, $r in enumerate($rep)#$i=${r.item} #end for#${len($rep)}`, map[string]any{"rep_0|item": "p", "rep_1|item": "q"}, "0=p 1=q 2"},
		{"section", `$sec.level $level`, map[string]any{"sec|level": "12"}, "12 12"},
		{"color and hidden", `$color $hidden`, nil, "(255, 0, 17) h"},
		{"surroundings", `$__tool_directory__ $__root_dir__ $__user_id__ $__user_email__ $__history_id__ $__tool_data_path__`, nil, "/tools /srv/galaxy 7 ann@example.org id00000000000001 /srv/tool-data"},
		{"slots are the shell's", `run -t "\${GALAXY_SLOTS:-1}"`, nil, `run -t "${GALAXY_SLOTS:-1}"`},
		{"files path", `$file.files_path $file.extra_files_path`, nil, "/data/dataset_1_files /data/dataset_1_files"},
		{"element identifier falls back to the name", `$table.element_identifier`, map[string]any{"table": hda(2)}, "table"},
		{"a dataset equals no text", `#if $file == '/data/dataset_1.dat'#same#else#other#end if#`, nil, "other"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tool := fixtureTool(t, "21.01", "<command><![CDATA["+tt.command+"]]></command>"+anyInputs+`<outputs><data name="out" format="txt"/></outputs>`)
			got, err := fixtureCommand(t, tool, base(tt.inputs))
			if err != nil {
				t.Fatal(err)
			}
			if got.Command != tt.want {
				t.Errorf("got  %q\nwant %q", got.Command, tt.want)
			}
		})
	}
}

// No text that a person chooses may end the quotes that a tool's author put around it.
func TestHostileTextStaysInsideItsQuotes(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal("these tests need a POSIX shell")
	}
	tool := fixtureTool(t, "21.01", `<command><![CDATA[printf %s '$text' "$text" '$text.value' '$file.name' '${file.element_identifier}' '$several' '$color' "$file.name"]]></command>`+anyInputs+`<outputs/>`)
	for _, hostile := range []string{`'; echo PWNED; '`, `"; echo PWNED; "`, "$(echo PWNED)", "`echo PWNED`", "\\'; echo PWNED #", "a\n'echo PWNED", "${IFS}", "'\"'\"'"} {
		env, data := fixtureEnv()
		data.list[0].Name = hostile
		data.list[0].ElementIdentifier = hostile
		s, errs, err := Populate(t.Context(), env, tool, map[string]any{"file": hda(1), "text": hostile, "color": hostile}, FormatLegacy)
		if err != nil || errs.Len() > 0 {
			t.Fatal(err, errs.Messages())
		}
		job, err := DecodeJob(t.Context(), tool, s.Parameters(s.JobExtras(nil)), data)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := Evaluate(t.Context(), EvalInput{Tool: tool, Job: job, Inputs: s.Inputs(), Datatypes: env.Datatypes})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(sh, "-c", ev.Command).CombinedOutput()
		if err != nil {
			t.Errorf("%q: the shell cannot read %s: %v", hostile, ev.Command, err)
		}
		if strings.Contains(string(out), "PWNED") && !strings.Contains(string(out), "echo PWNED") {
			t.Errorf("%q escaped: %s", hostile, ev.Command)
		}
	}
}

func TestInterpreterOfOldTools(t *testing.T) {
	tool := fixtureTool(t, "16.01", `<command interpreter="python">script.py '$file' script.py</command>`+anyInputs+`<outputs/>`)
	got, err := fixtureCommand(t, tool, map[string]any{"file": hda(1)})
	if err != nil {
		t.Fatal(err)
	}
	if want := "python /tools/script.py '/data/dataset_1.dat' script.py"; got.Command != want {
		t.Errorf("got %q, want %q", got.Command, want)
	}
}

func TestVersionCommandKnowsOnlyTheToolDirectory(t *testing.T) {
	for text, want := range map[string]string{
		"prog --version": "prog --version", "$__tool_directory__/p -v": "/t/p -v", "${__tool_directory__}x": "/tx",
		"$__tool_directory__x": "$__tool_directory__x", "echo $HOME $$": "echo $HOME $", "": "",
	} {
		if got := versionCommand(text, "/t"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestEnvironmentVariables(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<environment_variables>
		<environment_variable name="NUMBER">$number</environment_variable>
		<environment_variable name="STRIPPED" strip="true">  $text  </environment_variable>
		<environment_variable name="KEY" inject="api_key"/>
	</environment_variables><command>true</command>`+anyInputs+`<outputs/>`)
	got, err := fixtureCommand(t, tool, map[string]any{"file": hda(1)})
	if err != nil {
		t.Fatal(err)
	}
	want := []EnvVar{{"NUMBER", "3"}, {"STRIPPED", "plain"}, {"KEY", "secret"}}
	if len(got.Env) != len(want) {
		t.Fatalf("got %v", got.Env)
	}
	for i := range want {
		if got.Env[i] != want[i] {
			t.Errorf("got %v, want %v", got.Env[i], want[i])
		}
	}
}

func TestConfigFilesAreRenderedBeforeTheCommand(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>run '$settings' '$json'</command><configfiles>
		<configfile name="settings" filename="sub/x.txt">number=$number</configfile><inputs name="json" data_style="paths"/></configfiles>`+anyInputs+`<outputs/>`)
	got, err := fixtureCommand(t, tool, map[string]any{"file": hda(1), "several": []any{"y"}, "text": "a'b"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 2 {
		t.Fatalf("got %v", got.Files)
	}
	if f := got.Files[1]; f.Content != "number=3" || f.Link != "sub/x.txt" || !strings.HasPrefix(f.Path, "/jobs/1/configs/") {
		t.Errorf("got %+v", f)
	}
	want := `{"file": "/data/dataset_1.dat", "table": null, "many": [null], "text": "a__sq__b", "raw": "", "number": 3, "ratio": 0.5, "maybe": null, "flag": false, "choice": "b", "several": ["y"], "column": [null], "hidden": "h", "color": "(255, 0, 17)", "cond": {"inner": "deep", "mode": "one"}, "rep": [], "sec": {"level": 9}}`
	if got.Files[0].Content != want { // the JSON of the inputs comes first
		t.Errorf("got  %s\nwant %s", got.Files[0].Content, want)
	}
	if want := "run '" + got.Files[1].Path + "' '" + got.Files[0].Path + "'"; got.Command != want {
		t.Errorf("got %q, want %q", got.Command, want)
	}
}

func TestConfigFileOutsideTheJobIsRefused(t *testing.T) {
	for _, name := range []string{"../x", "/etc/passwd", "a/../../x"} {
		tool := fixtureTool(t, "21.01", `<command>true</command><configfiles><configfile name="c" filename="`+name+`">x</configfile></configfiles>`+anyInputs+`<outputs/>`)
		_, err := fixtureCommand(t, tool, map[string]any{"file": hda(1)})
		var ee *EvalError
		if !errors.As(err, &ee) || !strings.Contains(err.Error(), "relative path") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestBrokenTemplatesSayWhere(t *testing.T) {
	for command, want := range map[string]string{
		"#if $number\nx": "fixture", "$nothing_of_that_name": "nothing_of_that_name",
	} {
		tool := fixtureTool(t, "21.01", "<command><![CDATA["+command+"]]></command>"+anyInputs+"<outputs/>")
		_, err := fixtureCommand(t, tool, map[string]any{"file": hda(1)})
		var ee *EvalError
		if !errors.As(err, &ee) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "command line") {
			t.Errorf("%q: got %v", command, err)
		}
	}
}

func TestTemplatesRenderAtTheSameTime(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>echo '$text' $number</command>`+anyInputs+`<outputs/>`)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			got, err := fixtureCommand(t, tool, map[string]any{"file": hda(1)})
			if err != nil || got.Command != "echo 'plain' 3" {
				t.Error(got, err)
			}
		})
	}
	wg.Wait()
}

func TestFilteredOutputStandsForNone(t *testing.T) {
	tool := fixtureTool(t, "21.01", `<command>#if $extra#with#else#without $extra#end if#</command>`+anyInputs+`<outputs><data name="extra" format="txt"><filter>flag</filter></data></outputs>`)
	s := fixtureState(t, tool, map[string]any{"file": hda(1)})
	env, data := fixtureEnv()
	job, err := DecodeJob(t.Context(), tool, s.Parameters(s.JobExtras(nil)), data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Evaluate(t.Context(), EvalInput{Tool: tool, Job: job, Inputs: s.Inputs(), Datatypes: env.Datatypes})
	if err != nil || got.Command != "without None" {
		t.Errorf("got %v, %v", got, err)
	}
}
