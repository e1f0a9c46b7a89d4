package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/holdfast-go/holdfast/repo"
)

// importChunk is how many products are committed at a time: orders wait for one chunk
// at most, and not for the whole import.
const importChunk = 500

// CreateProduct saves a new product; repo.ErrDuplicateKey when there is one with its SKU.
func (s *Service) CreateProduct(ctx context.Context, p *Product) error {
	if err := p.valid(); err != nil {
		return err
	}
	return s.Products.InTx(ctx, func(ctx context.Context) error {
		there, err := s.Products.ExistsByID(ctx, p.SKU)
		if err != nil {
			return err
		}
		if there {
			return repo.ErrDuplicateKey
		}
		err = s.Products.Save(ctx, p)
		if errors.Is(err, repo.ErrNotFound) { // it is there, marked as deleted
			return refused("product %s was sold once, and is not any more", p.SKU)
		}
		return err
	})
}

// ImportProducts inserts the products of the list, or changes what the list names of
// those that are there. It returns how many were saved. All documents are checked before
// the first one is saved. When a later chunk fails, the ones before it stay saved: send
// the rest again, or the whole list, which does no harm.
func (s *Service) ImportProducts(ctx context.Context, list repo.SmartSaveDTO) (int, error) {
	saved, err := s.Products.SmartSave(ctx, list, repo.Merge(), repo.Chunks(importChunk), repo.WithDecoder(decodeProduct))
	if item, ok := errors.AsType[*repo.ItemError](err); ok && errors.Is(item, repo.ErrNotFound) {
		return len(saved), refused("element %d was sold once, and is not any more; the first %d are saved", len(saved)+item.Index, len(saved))
	}
	return len(saved), err
}

// decodeProduct puts a document into a product, a stored one where there is one.
func decodeProduct(doc []byte, into *Product) error {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	return into.valid()
}

// take moves pieces out of the stock.
func (p *Product) take(quantity int64) error {
	if p.Stock < quantity {
		return refused("product %s: %d in stock, not %d", p.SKU, p.Stock, quantity)
	}
	p.Stock -= quantity
	return nil
}
