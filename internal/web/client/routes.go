package client

import "strings"

// pages are the addresses that the application routes itself: the server answers each with the same page. A segment {} stands
// for any one segment, ** at the end for anything that follows, nothing included.
//
// They are matched after every other route of the server, since some cover more than they mean: /datasets/{} is also
// the form of /datasets/copy.
var pages = []string{
	"/",
	"/about",
	"/admin",
	"/admin/api_keys",
	"/admin/data_manager/**",
	"/admin/data_tables",
	"/admin/data_types",
	"/admin/display_applications",
	"/admin/error_stack",
	"/admin/form/{}",
	"/admin/forms",
	"/admin/groups",
	"/admin/invocations",
	"/admin/jobs",
	"/admin/notifications/**",
	"/admin/quotas",
	"/admin/repositories",
	"/admin/reset_metadata",
	"/admin/roles",
	"/admin/sanitize_allow",
	"/admin/tool_versions",
	"/admin/toolbox_dependencies",
	"/admin/toolshed",
	"/admin/users",
	"/admin/users/create",
	"/carbon_emissions_calculations",
	"/collection/new_list",
	"/collection/{}/edit",
	"/collection/{}/sheet",
	"/custom_builds",
	"/datasets/{}", // an id; also copy and list
	"/datasets/{}/details",
	"/datasets/{}/edit",
	"/datasets/{}/error",
	"/datasets/{}/preview",
	"/datasets/{}/raw",
	"/datasets/{}/report",
	"/datasets/{}/show_params",
	"/datasets/{}/visualize",
	"/datatypes",
	"/display_applications/**",
	"/downloads",
	"/file_source_instances/create",
	"/file_source_instances/index",
	"/file_source_instances/{}/edit",
	"/file_source_instances/{}/upgrade",
	"/file_source_templates/{}/new",
	"/galaxyai",
	"/galaxyai/{}",
	"/help/terms/{}",
	"/histories/archived",
	"/histories/citations",
	"/histories/import",
	"/histories/list",
	"/histories/list_published",
	"/histories/list_shared",
	"/histories/permissions",
	"/histories/rename",
	"/histories/sharing",
	"/histories/view",
	"/histories/view_multiple",
	"/histories/{}/archive",
	"/histories/{}/export",
	"/histories/{}/extract_workflow",
	"/histories/{}/graph",
	"/histories/{}/invocations",
	"/histories/{}/pages",
	"/histories/{}/pages/{}",
	"/histories/{}/storage/runs/**",
	"/import/zip",
	"/index",
	"/interactivetool_entry_points/list",
	"/jobs/submission/success",
	"/jobs/{}/view",
	"/libraries/**",
	"/login/start",
	"/object_store_instances/create",
	"/object_store_instances/index",
	"/object_store_instances/{}/edit",
	"/object_store_instances/{}/upgrade",
	"/object_store_templates/{}/new",
	"/pages/create",
	"/pages/edit",
	"/pages/editor",
	"/pages/list",
	"/pages/list_published",
	"/pages/sharing",
	"/published/history",
	"/published/page",
	"/published/visualization",
	"/published/workflow",
	"/register/start",
	"/root",
	"/rules",
	"/storage/**",
	"/tool_landings/{}",
	"/tools/editor",
	"/tools/editor/{}",
	"/tools/json",
	"/tools/list",
	"/tools/list/ontologies",
	"/tours",
	"/tours/{}",
	"/upload/**",
	"/user",
	"/user/notifications/**",
	"/user/{}",
	"/visualizations",
	"/visualizations/create/{}",
	"/visualizations/display/**",
	"/visualizations/edit",
	"/visualizations/list",
	"/visualizations/list_published",
	"/visualizations/list_shared",
	"/visualizations/sharing",
	"/welcome/new",
	"/workflow_landings/{}",
	"/workflows/create",
	"/workflows/edit",
	"/workflows/export",
	"/workflows/import",
	"/workflows/invocations",
	"/workflows/invocations/{}/**",
	"/workflows/list",
	"/workflows/list_published",
	"/workflows/list_shared_with_me",
	"/workflows/rerun",
	"/workflows/run",
	"/workflows/sharing",
	"/workflows/trs_import",
	"/workflows/trs_search",
	"/workflows/{}/invocations",
}

// route is one segment of the tree that the pages form.
type route struct {
	next map[string]*route
	any  *route // {}
	page bool   // an address may end here
	rest bool   // ** follows
}

var routes = routeTree(pages)

func routeTree(patterns []string) *route {
	root := new(route)
	for _, pattern := range patterns {
		at := root
		for segment := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
			switch segment {
			case "": // the root itself
			case "**":
				at.rest = true
			case "{}":
				if at.any == nil {
					at.any = new(route)
				}
				at = at.any
			default:
				if at.next == nil {
					at.next = make(map[string]*route)
				}
				if at.next[segment] == nil {
					at.next[segment] = new(route)
				}
				at = at.next[segment]
			}
		}
		at.page = true
	}
	return root
}

// IsPage tells whether the path of a request is one that the web client routes itself. A slash at the end makes no
// difference.
func IsPage(urlPath string) bool {
	if !strings.HasPrefix(urlPath, "/") || len(urlPath) > 4096 {
		return false
	}
	trimmed := strings.TrimSuffix(urlPath[1:], "/")
	if trimmed == "" {
		return urlPath == "/"
	}
	return routes.match(strings.Split(trimmed, "/"))
}

func (at *route) match(segments []string) bool {
	if at.rest {
		return true
	}
	if len(segments) == 0 {
		return at.page
	}
	segment := segments[0]
	if segment == "" {
		return false
	}
	if next := at.next[segment]; next != nil && next.match(segments[1:]) {
		return true
	}
	return at.any != nil && at.any.match(segments[1:])
}
