// Package tool turns tool files into tools: it reads Galaxy's tool XML (macros included) into a model, keeps a toolbox of
// them with its panel, builds forms and states from requests, and evaluates commands and outputs.
//
// It may import internal/galaxy, internal/cheetah and internal/datatype, nothing else of ours. What it needs of histories,
// data tables and datasets it asks for through small interfaces of its own.
//
// Begin with model.go, which holds every type of a parsed tool. LoadFile (load.go) produces them, macro.go expands macros
// first, Toolbox (toolbox.go) keeps them and answers for the panel; the state, form, evaluate and output files use them.
package tool
