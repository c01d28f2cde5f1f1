package sources

// Format is how a bare store writes a record.
type Format string

// The formats.
const (
	FormatJSON Format = "json" // a JSON document
	FormatHash Format = "hash" // field by field, each a text
	FormatText Format = "text" // one text, whose field is named "value"
)

// Endpoint is how an HTTP API gives a dataset's records. At least one of its
// parts is set; without List the dataset can only be looked up.
type Endpoint struct {
	List  *Listing
	Get   *Getting
	Batch *Batching
}

// Title names the endpoint by the first of its paths.
func (e *Endpoint) Title() string {
	switch {
	case e.List != nil:
		return e.List.Path
	case e.Batch != nil:
		return e.Batch.Path
	case e.Get != nil:
		return e.Get.Path
	}
	return "endpoint"
}

// Listing is how an API lists its records, page by page.
type Listing struct {
	Path  string
	Query map[string]string // may hold {page_size} and {next}
	// Items is where the records are in the answer; "" or "$" is the answer itself.
	Items string
	// Next is where the answer says how to go on: an address, or a cursor for
	// {next}; "" for a list of one page.
	Next string
	// PageSize is how many records are asked for at once; 0 leaves it to the API.
	PageSize int
}

// Getting is how an API gives one record.
type Getting struct {
	Path   string            // with the key's fields in braces
	Query  map[string]string // may hold the key's fields in braces
	Item   string            // where the record is in the answer; "" or "$" is the answer itself
	Absent []int             // the statuses that mean there is none; nil is 404
}

// Batching is how an API gives many records by their keys.
type Batching struct {
	Path  string
	Query map[string]string // holds {ids}, or the plural of the key's field, for the keys divided by commas
	Items string            // where the records are in the answer; "" or "$" is the answer itself
	Size  int               // how many keys are asked for at once; 0 is 100
}
