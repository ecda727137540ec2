// Package monitoring looks at a real server as its administrator does: metrics, health, the dashboard, uwsgitop, top and
// logrotate, with the lines that docs/monitoring.md prints.
package monitoring
