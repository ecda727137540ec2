// Package proxy runs Orrery behind real nginx and real Apache, with the very files of docs/proxy: only the paths, ports
// and addresses in them are replaced by those of the test, as an administrator would do it.
//
// Begin with sites_test.go, which reads the files; behind_test.go says what has to work behind each of them, and
// hosts_test.go what two hosts behind one proxy do.
package proxy
