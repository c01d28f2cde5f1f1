package mongodb

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"plumbline/sources"
)

// Codes of the server that this package acts on.
const (
	codeUnauthorized                  = 13
	codeNamespaceNotFound             = 26
	codeCommandNotFound               = 59
	codeInvalidOptions                = 72
	codeCommandNotSupported           = 115
	codeNotAReplicaSet                = 123
	codeInvalid                       = 121 // a validator refused it
	codeReadConcernMajorityNotEnabled = 148
	codeDuplicateKey                  = 11000
	codeEmptyBounds                   = 51175 // min is not below max
)

// finalNames are the server's names for errors that reading again cannot mend.
func finalNames() []string {
	return []string{
		"BadValue", "FailedToParse", "TypeMismatch", "Overflow", "InvalidLength", "NoSuchKey", "InvalidPath", "DollarPrefixedFieldName",
		"InvalidIdField", "NotSingleValueField", "EmptyFieldName", "DottedFieldName", "InvalidNamespace", "InvalidOptions",
		"InvalidPipelineOperator", "OptionNotSupportedOnView", "CommandNotSupportedOnView", "InvalidViewDefinition",
		"ViewDepthLimitExceeded", "ViewMaxPipelineLengthExceeded", "ConversionFailure", "MaxSubPipelineDepthExceeded",
		"IncompatibleCollationVersion", "QueryFeatureNotAllowed", "JSInterpreterFailure", "BSONObjectTooLarge",
		"QueryExceededMemoryLimitNoDiskUseAllowed", "Unauthorized", "AuthenticationFailed", "UserNotFound", "RoleNotFound",
		"NamespaceNotFound", "IndexNotFound", "CommandNotFound", "CommandNotSupported", "NotImplemented", "APIVersionError", "APIStrictError",
	}
}

// failed gives an error of the driver its class. Errors of the caller's own
// context pass as they are; what is not known is transient.
func (s *source) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var classed *sources.ReadError
	if errors.As(err, &classed) {
		return err
	}
	var command mongo.CommandError
	errors.As(err, &command) // without a code where the connection failed
	if command.Code == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	err = withoutValues(s.hideSecrets(err), command.Name)
	switch {
	case command.Name == "MaxTimeMSExpired", command.Name == "ExceededTimeLimit":
		return sources.Timeout(err)
	case slices.Contains(finalNames(), command.Name):
		return sources.Final(err)
	case strings.HasPrefix(command.Name, "Location") && command.Code != codeSampleRepeats:
		// A place in the server's source without a name of its own: for commands
		// that only read, a parser or an expression that refuses.
		return sources.Final(err)
	case strings.Contains(err.Error(), "(AuthenticationFailed)"): // while signing in, no command is named
		return sources.Final(err)
	}
	return err
}

// codeSampleRepeats: $sample drew the same document too often and asks to be sent again.
const codeSampleRepeats = 28799

func codeOf(err error) int32 {
	var command mongo.CommandError
	if errors.As(err, &command) {
		return command.Code
	}
	return 0
}

// cleaned is an error whose text holds no secret.
type cleaned struct {
	text string
	err  error
}

func (c *cleaned) Error() string { return c.text }

func (c *cleaned) Unwrap() error { return c.err }

// withoutValues takes what the server quoted of documents out of an error about data.
func withoutValues(err error, name string) error {
	about := []string{"BadValue", "FailedToParse", "TypeMismatch", "Overflow", "ConversionFailure", "JSInterpreterFailure", "InvalidLength"}
	if !slices.Contains(about, name) && !strings.HasPrefix(name, "Location") {
		return err
	}
	return &cleaned{text: sources.Quoteless(err.Error()), err: err}
}

// hideSecrets takes the URL's password out of an error's text.
func (s *source) hideSecrets(err error) error {
	text := err.Error()
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	if text == err.Error() {
		return err
	}
	return &cleaned{text: text, err: err}
}
