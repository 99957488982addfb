package spec

// DialectFile is the file of a dialect as it is embedded.
func DialectFile(name string) ([]byte, error) {
	return dialectFiles.ReadFile("dialects/" + name + ".json")
}
