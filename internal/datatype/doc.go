// Package datatype knows what a dataset's file is: which extensions exist and
// which is a kind of which, how to recognise a file by looking at it, what its
// metadata, its peek and its one-line summary are, and how an upload is
// brought into shape (line ends, tabs, decompression).
//
// It works on paths and bytes only, with bounded memory, so that the same code
// runs in a job handler and on a remote node. It imports nothing of ours.
//
// Begin reading at registry.go (the table of types and who matches whom), then
// sniff.go (the order in which types are tried), metadata.go and peek.go. The
// table itself is table.json, facts about Galaxy 26.1's default datatypes;
// one line is one type.
package datatype
