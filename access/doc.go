// Package access says who may do what: roles and permissions, the actor behind
// a request, tokens and passwords, and the entries of the audit log with the
// chain that keeps them. Pages, API, commands and Slack all ask here, and nothing
// else decides. It knows no HTTP and no database.
package access
