// Package cheetah renders Cheetah templates and evaluates Python expressions
// as Galaxy tools use them (commands, configfiles, environment variables,
// labels, filters), inside a box: no files, no network, no processes, and
// limits on steps, time, output and the size of every value built.
//
// It imports none of our packages. Begin with template.go (what callers use:
// Compile, Template.Render, CompileExpr, Expr.Eval), then object.go (how a
// caller's own values take part). directives.go turns template text into
// statements, lexer.go and parser.go turn Python text into nodes, nodes.go
// evaluates them; runtime.go holds the box.
package cheetah
