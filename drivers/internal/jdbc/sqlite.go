package jdbc

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

func sqliteTarget(rest string) (Target, error) {
	path, query, _ := strings.Cut(rest, "?")
	s := &state{q: url.Values{}}
	s.Dialect = sqlite
	if path == "" || path == ":memory:" {
		s.DSN = "file::memory:"
		return s.Target, nil
	}
	if strings.HasPrefix(path, ":resource:") {
		return Target{}, errors.New("jdbc:sqlite::resource: reads a database out of a Java archive: name a file")
	}
	var err error
	if s.params, err = parseQuery(query); err != nil {
		return Target{}, err
	}
	if err := s.translate(sqliteParams()); err != nil {
		return Target{}, err
	}
	if !strings.HasPrefix(path, "file:") {
		path = "sqlite:" + path
	}
	if len(s.q) > 0 {
		path += "?" + s.q.Encode()
	}
	s.DSN = path
	return s.Target, nil
}

var pragmaValue = regexp.MustCompile(`^-?[A-Za-z0-9_]+$`)

// sqliteParams knows the parameters of the driver of Xerial.
func sqliteParams() table {
	t := table{}
	for name := range strings.FieldsSeq("journal_mode busy_timeout synchronous foreign_keys") {
		t.apply(name, "the same with an underscore before it", as("_"+name))
	}
	t.apply("mode", "the same", as("mode"))
	for name := range strings.FieldsSeq(`application_id auto_vacuum automatic_index cache_size case_sensitive_like cache_spill
		checkpoint_fullfsync defer_foreign_keys encoding fullfsync ignore_check_constraints incremental_vacuum journal_size_limit
		legacy_file_format locking_mode max_page_count mmap_size page_size query_only read_uncommitted recursive_triggers
		reverse_unordered_selects secure_delete temp_store user_version wal_autocheckpoint`) {
		t.apply(name, "the pragma of that name", func(s *state, v string) error {
			if !pragmaValue.MatchString(v) {
				return errors.New("is not a value of a pragma")
			}
			s.q.Add("_pragma", name+"("+v+")")
			return nil
		})
	}
	t.group(Ignored, "Go has its own types", "date_class date_precision date_string_format")
	t.group(Ignored, "a transaction takes the write lock when it begins, always", "transaction_mode")
	t.group(Ignored, "only tunes the Java driver", `cache count_changes default_cache_size empty_result_callbacks full_column_names
		jdbc.explicit_readonly jdbc.get_generated_keys limit_attached limit_column limit_compound_select limit_expr_depth
		limit_function_arg limit_length limit_like_pattern_length limit_page_count limit_sql_length limit_trigger_depth
		limit_variable_number limit_vdbe_op limit_worker_threads shared_cache short_column_names`)
	t.group(Refused, "the Go driver has no encryption", "cipher password key hexkey_mode kdf_iter legacy legacy_page_size hmac_check_salt")
	t.group(Refused, "extensions cannot be loaded", "enable_load_extension load_extension")
	t.group(Refused, "the Go driver has the mode of a file: URI", "open_mode temp_store_directory data_store_directory")
	return t
}
