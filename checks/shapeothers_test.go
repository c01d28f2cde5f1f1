package checks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"plumbline/checks"
	"plumbline/sources"
)

func shapedMySQL(s *stores) *shaped {
	return &shaped{kind: "mysql", unseen: []alteration{emptyTable}, // what tells it is kept to the second
		load: func(t *testing.T, table string, n int, wrong map[int]bool) {
			s.execMy("CREATE TABLE " + table + " (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL, price DECIMAL(12,2) NOT NULL) CHARACTER SET utf8mb4")
			statement := "INSERT INTO " + table + " VALUES "
			for i := 1; i <= n; i++ {
				statement += fmt.Sprintf("(%d, '%s', %s),", i, shapedName(i, wrong), shapedPrice(i))
			}
			s.execMy(statement[:len(statement)-1])
		},
		alter: func(table string, a alteration) error {
			_, err := s.my.Exec(map[alteration]string{
				dropField:   "ALTER TABLE " + table + " DROP COLUMN price",
				renameField: "ALTER TABLE " + table + " RENAME COLUMN price TO cost",
				retypeField: "ALTER TABLE " + table + " MODIFY price VARCHAR(40) NOT NULL; UPDATE " + table + " SET price = CONCAT(price, ' EUR')",
				addField:    "ALTER TABLE " + table + " ADD COLUMN extra TEXT",
				renameTable: "RENAME TABLE " + table + " TO " + table + "_old",
				emptyTable:  "TRUNCATE TABLE " + table,
				newIndex:    "CREATE INDEX by_name ON " + table + " (name)",
				dropKey:     "ALTER TABLE " + table + " DROP PRIMARY KEY",
			}[a])
			return err
		},
		open: func(t *testing.T, l sources.Limits) *sources.Reader { return opened(t, "mysql", s.urls["mysql"], l) }}
}

// shapedDocuments are records as JSON in Redis or behind an HTTP API: neither has a
// schema, and their shape is that of what is read.
func shapedDocuments(s *stores, kind string) *shaped {
	write := func(name string, n int, wrong map[int]bool, change func(document map[string]any)) {
		for i := 1; i <= n; i++ {
			document := map[string]any{"id": i, "name": shapedName(i, wrong), "price": i % 90}
			change(document)
			text, err := json.Marshal(document)
			must(s.t, err)
			s.putDocument(kind, name, fmt.Sprint(i), text)
		}
	}
	wrongs := map[string]map[int]bool{}
	return &shaped{kind: kind, few: true,
		has:  []alteration{dropField, renameField, retypeField, addField, emptyTable},
		side: func(name string) checks.Side { return s.documents(kind, name) },
		load: func(t *testing.T, name string, n int, wrong map[int]bool) {
			wrongs[name] = wrong
			write(name, n, wrong, func(map[string]any) {})
		},
		alter: func(name string, a alteration) error {
			if kind == "http" {
				s.service.clear(name)
			}
			if a == emptyTable {
				if kind == "redis" {
					keys, err := s.redis.Keys(context.Background(), s.prefix+":"+name+":*").Result()
					if err != nil {
						return err
					}
					return s.redis.Del(context.Background(), keys...).Err()
				}
				return nil
			}
			write(name, shapeRecords, wrongs[name], func(document map[string]any) {
				switch a {
				case dropField:
					delete(document, "price")
				case renameField:
					document["cost"] = document["price"]
					delete(document, "price")
				case retypeField:
					document["price"] = fmt.Sprintf("%v EUR", document["price"])
				case addField:
					document["extra"] = "new"
				}
			})
			return nil
		},
		unseen: []alteration{addField, emptyTable},
		open:   func(t *testing.T, l sources.Limits) *sources.Reader { return opened(t, kind, s.urls[kind], l) }}
}

// clear forgets all records of a resource.
func (s *service) clear(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listed, resource)
	delete(s.byKey, resource)
}
