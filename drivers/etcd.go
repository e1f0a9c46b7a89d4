package drivers

func (c EtcdConfig) empty() bool {
	return len(c.Endpoints) == 0
}
func (c EtcdConfig) validate(p *problems) {}
