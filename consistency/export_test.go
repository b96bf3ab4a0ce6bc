package consistency

// SignForTest signs any bytes, as Seal does with a token.
func SignForTest(k Key, payload []byte) string {
	sum := k.mac(payload)
	return tokenText.EncodeToString(append(payload[:len(payload):len(payload)], sum[:]...))
}
