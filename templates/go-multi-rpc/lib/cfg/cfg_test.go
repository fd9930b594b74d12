package cfg

import "testing"

func TestWorkerURI(t *testing.T) {
	t.Setenv("COMPONENT_TWO_ID", "0F8FAD5B-D9CB-469F-A165-70867728950E")
	uri, err := ComponentTwoWorkerURI("w1")
	if err != nil || uri != "urn:worker:urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e/w1" {
		t.Fatalf("got %q, %v", uri, err)
	}
}

func TestBadComponentIDs(t *testing.T) {
	for value, want := range map[string]string{
		"":                                     "missing environment variable for component id: COMPONENT_ONE_ID",
		"x":                                    "component id parse failed for COMPONENT_ONE_ID=x",
		"0f8fad5bd9cb469fa16570867728950e":     "component id parse failed for COMPONENT_ONE_ID=0f8fad5bd9cb469fa16570867728950e",
		"0f8fad5b-d9cb-469f-a165-70867728950g": "component id parse failed for COMPONENT_ONE_ID=0f8fad5b-d9cb-469f-a165-70867728950g",
	} {
		t.Setenv("COMPONENT_ONE_ID", value)
		if _, err := ComponentOneWorkerURI("w1"); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", value, err, want)
		}
	}
}
