package mysql

import (
	"encoding/hex"
	"strings"
)

// ident quotes an identifier.
func ident(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// hexText writes a text as a constant that no sql_mode reads otherwise.
func hexText(text string) string { return "_utf8mb4 x'" + hex.EncodeToString([]byte(text)) + "'" }

// hexBytes writes a byte string as a constant.
func hexBytes(b string) string { return "_binary x'" + hex.EncodeToString([]byte(b)) + "'" }
