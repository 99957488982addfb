module tallystick.example/bench

go 1.26.0

require (
	github.com/moov-io/iso8583 v0.26.1
	github.com/moov-io/iso8583-connection v0.9.0
	tallystick.example v0.0.0
)

require (
	github.com/yerden/go-util v1.1.4 // indirect
	golang.org/x/text v0.44.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

replace tallystick.example => ../
